print("VRRPClient")
