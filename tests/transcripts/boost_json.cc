// Boost.JSON, compiled here: it needs no library then.
#include <boost/json/src.hpp>
