print("linkwatchd")
