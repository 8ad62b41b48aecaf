print("linkwatch")
