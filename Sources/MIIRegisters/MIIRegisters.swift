// MIIRegisters
