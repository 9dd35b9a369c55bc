// The event-stream extension looks for htmx on the window; this module runs before it is imported.
import htmx from "htmx.org";

window.htmx = htmx;
