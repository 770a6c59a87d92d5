// A shared library that can be loaded but exports nothing a delegate has to.
extern "C" int no_delegate() { return 0; }
