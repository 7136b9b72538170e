/* libva-drm's place: a display for any file, whose driver is the test driver. libva-drm would ask for a DRM node. */
#include <stdlib.h>
#include <string.h>
#include <va/va_backend.h>

VADisplayContextP va_newDisplayContext(void);
VADriverContextP va_newDriverContext(VADisplayContextP display);
VADisplay testdriver_display(VADriverInit init);

static int is_valid(VADisplayContextP display)
{
    return display->pDriverContext != NULL;
}

static void destroy(VADisplayContextP display)
{
    free(display->pDriverContext);
    free(display);
}

static VAStatus driver_name(VADisplayContextP display, char **name)
{
    (void) display;
    *name = strdup("pushbox");
    return VA_STATUS_SUCCESS;
}

#if VA_CHECK_VERSION(1, 20, 0)
static VAStatus driver_names(VADisplayContextP display, char **names, unsigned *count)
{
    *count = 1;
    return driver_name(display, names);
}
#endif

VADisplay testdriver_display(VADriverInit init)
{
    VADisplayContextP display = va_newDisplayContext();
    if (!display)
        return NULL;
    display->vaIsValid = is_valid;
    display->vaDestroy = destroy;
    display->vaGetDriverName = driver_name;
#if VA_CHECK_VERSION(1, 20, 0)
    display->vaGetDriverNames = driver_names;
#endif
    VADriverContextP driver = va_newDriverContext(display);
    if (!driver) {
        free(display);
        return NULL;
    }
    driver->native_dpy = (void *) init;
    driver->display_type = VA_DISPLAY_DRM_RENDERNODES;
    return display;
}
