"""The network on the CPU: launchers of the C++ code in vsduf/native, and the one thread that computes."""
