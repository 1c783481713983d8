"""The network on the CPU: starts the operations of the C++ code in vsduf/native."""
