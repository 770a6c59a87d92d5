// A library that is no plug-in: it exports nothing of what the runtime looks for.
extern "C" __attribute__((visibility("default"))) int plugin_ep_empty() { return 0; }
