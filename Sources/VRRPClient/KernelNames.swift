/// RtnlMonitor's types whose names other rooms use as well, under names of their own: a module that is called like one of
/// its types cannot be named in front of them.
import RtnlMonitor

/// An address as the kernel's room has it.
typealias KernelIP = IPAddress
/// A prefix as the kernel's room has it.
typealias KernelPrefix = IPPrefix
