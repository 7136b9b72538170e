// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * A flash without hardware, for tests: an LED that lights by the LED class, and by V4L2 as long as somebody has that node open
 * (kernel: Documentation/leds/leds-class-flash.rst).
 */
#include <linux/led-class-flash.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <media/v4l2-device.h>
#include <media/v4l2-flash-led-class.h>

#define NAME "test-flash"
#define BRIGHTEST 4
/* Of each step of brightness as a torch, in microamperes. */
#define CURRENT 25000

static unsigned int faults;
module_param(faults, uint, 0644);
MODULE_PARM_DESC(faults, "V4L2_FLASH_FAULT_*, until they are read: so long it gives no light");

static struct platform_device *platform;

static struct {
	struct led_classdev_flash led;
	enum led_brightness brightness;
	struct v4l2_device v4l2_dev;
	struct v4l2_flash *node;
} flash;

static int brightness_set(struct led_classdev *led, enum led_brightness brightness)
{
	if (faults && brightness)
		return -EIO;
	flash.brightness = brightness;
	return 0;
}

static enum led_brightness brightness_get(struct led_classdev *led)
{
	return faults ? LED_OFF : flash.brightness;
}

static int strobe_set(struct led_classdev_flash *led, bool lit)
{
	return 0;
}

static int fault_get(struct led_classdev_flash *led, u32 *told)
{
	*told = faults;
	if (faults)
		flash.brightness = LED_OFF;
	faults = 0;
	return 0;
}

static const struct led_flash_ops led_ops = { .strobe_set = strobe_set, .fault_get = fault_get };

static const struct v4l2_flash_ops v4l2_ops = {};

static int start_led(struct device *device)
{
	struct led_classdev *led = &flash.led.led_cdev;

	led->name = "white:flash";
	led->max_brightness = BRIGHTEST;
	led->brightness_set_blocking = brightness_set;
	led->brightness_get = brightness_get;
	led->flags = LED_DEV_CAP_FLASH;
	flash.led.ops = &led_ops;
	return devm_led_classdev_flash_register(device, &flash.led);
}

static int start_flash(struct device *device)
{
	struct v4l2_flash_config config = {
		.dev_name = NAME,
		.intensity = { .min = CURRENT, .max = CURRENT * BRIGHTEST, .step = CURRENT, .val = CURRENT * BRIGHTEST },
		.flash_faults = LED_FAULT_OVER_TEMPERATURE | LED_FAULT_SHORT_CIRCUIT,
	};

	flash.node = v4l2_flash_init(device, NULL, &flash.led, &v4l2_ops, &config);
	return PTR_ERR_OR_ZERO(flash.node);
}

/* What a camera's driver does for the flash beside it. */
static int start_node(struct device *device)
{
	int result = v4l2_device_register(device, &flash.v4l2_dev);

	if (result)
		return result;
	result = v4l2_device_register_subdev(&flash.v4l2_dev, &flash.node->sd);
	if (!result)
		result = v4l2_device_register_subdev_nodes(&flash.v4l2_dev);
	if (result)
		v4l2_device_unregister(&flash.v4l2_dev);
	return result;
}

static int __init start_device(struct platform_device *device)
{
	int result = start_led(&device->dev);

	if (result)
		return result;
	result = start_flash(&device->dev);
	if (result)
		return result;
	result = start_node(&device->dev);
	if (result)
		v4l2_flash_release(flash.node);
	return result;
}

static void stop_device(struct platform_device *device)
{
	v4l2_device_unregister(&flash.v4l2_dev);
	v4l2_flash_release(flash.node);
}

static struct platform_driver driver = { .driver.name = NAME, .remove = stop_device };

static int __init start(void)
{
	platform = platform_create_bundle(&driver, start_device, NULL, 0, NULL, 0);
	return PTR_ERR_OR_ZERO(platform);
}

static void __exit stop(void)
{
	platform_device_unregister(platform);
	platform_driver_unregister(&driver);
}

module_init(start);
module_exit(stop);

MODULE_DESCRIPTION("A flash without hardware, for tests");
MODULE_LICENSE("Dual MIT/GPL");
