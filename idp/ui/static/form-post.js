// The answer to a service travels in a form: send it without waiting for the resident.
"use strict";
document.getElementById("form-post").submit();
