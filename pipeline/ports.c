#include "pipeline/ports.h"

const char *port_error_name(int error) {
    switch (error) {
    case PORT_OK:
        return "ok";
    case PORT_UNAVAILABLE:
        return "unavailable";
    case PORT_UNKNOWN:
        return "outcome unknown";
    case PORT_THROTTLED:
        return "throttled";
    case PORT_TOO_LARGE:
        return "too large";
    case PORT_FENCED:
        return "fenced";
    case PORT_OUT_OF_RANGE:
        return "offset out of range";
    case PORT_NO_MEMORY:
        return "out of memory";
    case PORT_NOT_FOUND:
        return "not found";
    default:
        return "unnamed error";
    }
}
