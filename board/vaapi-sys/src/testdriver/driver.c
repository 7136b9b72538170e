/* What libva opens: hands over to the program that opened it, which is the driver. */
#include <va/va_backend.h>

VAStatus __vaDriverInit_1_0(VADriverContextP ctx);

VAStatus __vaDriverInit_1_0(VADriverContextP ctx)
{
    VADriverInit init = (VADriverInit) ctx->native_dpy;
    return init(ctx);
}
