// RtnlMonitor
