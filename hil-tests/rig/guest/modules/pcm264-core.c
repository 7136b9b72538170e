// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * A stateful H.264 encoder without hardware, for tests: NV12 in, I_PCM out, over v4l2-mem2mem as a real one.
 * Its faults come on command, by the parameters below.
 */

#include <linux/delay.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>
#include <media/v4l2-ctrls.h>
#include <media/v4l2-device.h>
#include <media/v4l2-event.h>
#include <media/v4l2-ioctl.h>
#include <media/v4l2-mem2mem.h>
#include <media/videobuf2-vmalloc.h>

#include "pcm264.h"

#define NAME "pcm264"
#define MIN_SIDE 96
#define MAX_SIDE 1920

static bool busy;
module_param(busy, bool, 0644);
MODULE_PARM_DESC(busy, "opening the node fails with EBUSY");
static bool single;
module_param(single, bool, 0644);
MODULE_PARM_DESC(single, "opening the node fails with EBUSY while it is open");
static bool broken;
module_param(broken, bool, 0644);
MODULE_PARM_DESC(broken, "queueing a buffer fails with EIO");
static int stall;
module_param(stall, int, 0644);
MODULE_PARM_DESC(stall, "so many pictures are never finished");
static int lose;
module_param(lose, int, 0644);
MODULE_PARM_DESC(lose, "so many access units come with an error");
static int empty;
module_param(empty, int, 0644);
MODULE_PARM_DESC(empty, "so many pictures are left out, as if there were no bits for them");
static unsigned int delay_ms = 5;
module_param(delay_ms, uint, 0644);
MODULE_PARM_DESC(delay_ms, "how long a picture takes");
static unsigned int alignment = 2;
module_param(alignment, uint, 0644);
MODULE_PARM_DESC(alignment, "pictures have rows and columns in multiples of this");
static unsigned int stride_alignment = 1;
module_param(stride_alignment, uint, 0644);
MODULE_PARM_DESC(stride_alignment, "rows lie in multiples of so many bytes");
static unsigned int max_side = MAX_SIDE;
module_param(max_side, uint, 0644);
MODULE_PARM_DESC(max_side, "pictures are no wider and no higher than this");
static bool imports = true;
module_param(imports, bool, 0644);
MODULE_PARM_DESC(imports, "pictures may lie in DMA-BUFs");
static bool fixed;
module_param(fixed, bool, 0644);
MODULE_PARM_DESC(fixed, "the bitrate can't be changed while coded pictures stream");
static unsigned int abort_ms;
module_param(abort_ms, uint, 0644);
MODULE_PARM_DESC(abort_ms, "how long it takes to give up a picture");
static bool refuses;
module_param(refuses, bool, 0644);
MODULE_PARM_DESC(refuses, "the bitrate can't be changed at all once it was set");

struct pcm264 {
	struct v4l2_device v4l2_dev;
	struct video_device node;
	struct v4l2_m2m_dev *m2m;
	struct mutex lock;
};

struct context {
	struct v4l2_fh fh;
	struct pcm264 *device;
	struct v4l2_ctrl_handler controls;
	struct v4l2_ctrl *gop, *profile, *level;
	struct delayed_work work;
	struct pcm264_stream stream;
	/* Of the raw pictures; the stream has their colours. */
	struct v4l2_pix_format_mplane raw;
	u32 coded_size;
	/* Of pictures, and of access units. */
	u32 sequences[2];
	/* Pictures since the last IDR picture. */
	u32 since_idr;
	u16 idr_pic_id;
	bool force_idr, has_bitrate;
	u8 *reference;
};

static struct context *context_of(struct file *file)
{
	return container_of(file->private_data, struct context, fh);
}

static bool take(int *count)
{
	if (*count <= 0)
		return false;
	(*count)--;
	return true;
}

static void set_stream(struct context *context)
{
	/* V4L2_MPEG_VIDEO_H264_LEVEL_1_0 and so on. */
	static const u8 levels[] = { 10, 9, 11, 12, 13, 20, 21, 22, 30, 31, 32, 40, 41, 42, 50, 51, 52 };
	bool is_main = context->profile->cur.val == V4L2_MPEG_VIDEO_H264_PROFILE_MAIN;

	/* 2 is "unspecified". */
	context->stream.primaries = context->raw.colorspace == V4L2_COLORSPACE_REC709 ? 1 : 2;
	context->stream.transfer = context->raw.xfer_func == V4L2_XFER_FUNC_709 ? 1 : 2;
	context->stream.matrix = context->raw.ycbcr_enc == V4L2_YCBCR_ENC_601 ? 6 : 2;
	context->stream.is_full_range = context->raw.quantization == V4L2_QUANTIZATION_FULL_RANGE;
	context->stream.profile_idc = is_main ? 77 : 66;
	context->stream.constraints = is_main ? 0x40 : 0xc0;
	context->stream.level_idc = levels[min_t(u32, context->level->cur.val, ARRAY_SIZE(levels) - 1)];
}

static void encode(struct context *context, struct vb2_v4l2_buffer *source, struct vb2_v4l2_buffer *target)
{
	struct vb2_buffer *raw = &source->vb2_buf, *coded = &target->vb2_buf;
	bool idr = context->force_idr || !context->since_idr || context->since_idr >= context->gop->cur.val;
	u32 stride = context->raw.plane_fmt[0].bytesperline;
	struct pcm264_picture picture = {
		.luma = vb2_plane_vaddr(raw, 0), .luma_stride = stride, .chroma_stride = stride,
	};

	picture.chroma = context->raw.num_planes > 1 ? vb2_plane_vaddr(raw, 1) :
						       picture.luma + stride * context->raw.height;
	if (idr) {
		context->since_idr = 0;
		context->idr_pic_id++;
		context->force_idr = false;
	}
	vb2_set_plane_payload(coded, 0, pcm264_write(&context->stream, &picture, idr, context->since_idr,
						     context->idr_pic_id, context->reference,
						     vb2_plane_vaddr(coded, 0)));
	context->since_idr++;
	target->flags |= idr ? V4L2_BUF_FLAG_KEYFRAME : V4L2_BUF_FLAG_PFRAME;
}

static void finish(struct work_struct *work)
{
	static const struct v4l2_event end = { .type = V4L2_EVENT_EOS };
	struct context *context = container_of(work, struct context, work.work);
	struct v4l2_m2m_ctx *m2m = context->fh.m2m_ctx;
	struct vb2_v4l2_buffer *source, *target;
	enum vb2_buffer_state state = VB2_BUF_STATE_DONE;

	if (take(&stall))
		return;
	source = v4l2_m2m_src_buf_remove(m2m);
	target = v4l2_m2m_dst_buf_remove(m2m);
	v4l2_m2m_buf_copy_metadata(source, target, false);
	source->sequence = context->sequences[0]++;
	target->sequence = context->sequences[1]++;
	target->flags &= ~(V4L2_BUF_FLAG_LAST | V4L2_BUF_FLAG_KEYFRAME | V4L2_BUF_FLAG_PFRAME);
	if (take(&empty))
		vb2_set_plane_payload(&target->vb2_buf, 0, 0);
	else
		encode(context, source, target);
	if (take(&lose))
		state = VB2_BUF_STATE_ERROR;
	if (v4l2_m2m_is_last_draining_src_buf(m2m, source)) {
		target->flags |= V4L2_BUF_FLAG_LAST;
		v4l2_event_queue_fh(&context->fh, &end);
		v4l2_m2m_mark_stopped(m2m);
	}
	v4l2_m2m_buf_done(source, VB2_BUF_STATE_DONE);
	v4l2_m2m_buf_done(target, state);
	v4l2_m2m_job_finish(context->device->m2m, m2m);
}

static void device_run(void *priv)
{
	struct context *context = priv;

	schedule_delayed_work(&context->work, msecs_to_jiffies(delay_ms));
}

/* What stalled is not finished, but it may be given up. */
static void job_abort(void *priv)
{
	struct context *context = priv;

	cancel_delayed_work_sync(&context->work);
	msleep(abort_ms);
	v4l2_m2m_job_finish(context->device->m2m, context->fh.m2m_ctx);
}

static const struct v4l2_m2m_ops m2m_ops = { .device_run = device_run, .job_abort = job_abort };

static int queue_setup(struct vb2_queue *queue, unsigned int *buffers, unsigned int *planes, unsigned int sizes[],
		       struct device *alloc_devs[])
{
	struct context *context = vb2_get_drv_priv(queue);
	bool is_coded = V4L2_TYPE_IS_CAPTURE(queue->type);
	u32 i, needed[VIDEO_MAX_PLANES], count = is_coded ? 1 : context->raw.num_planes;

	for (i = 0; i < count; i++)
		needed[i] = is_coded ? context->coded_size : context->raw.plane_fmt[i].sizeimage;
	/* VIDIOC_CREATE_BUFS brings sizes of its own. */
	if (*planes) {
		for (i = 0; i < count; i++)
			if (*planes != count || sizes[i] < needed[i])
				return -EINVAL;
		return 0;
	}
	*planes = count;
	memcpy(sizes, needed, count * sizeof(*sizes));
	return 0;
}

static int buf_prepare(struct vb2_buffer *buffer)
{
	struct context *context = vb2_get_drv_priv(buffer->vb2_queue);
	u32 i;

	if (V4L2_TYPE_IS_CAPTURE(buffer->type))
		return vb2_plane_size(buffer, 0) < context->coded_size ? -EINVAL : 0;
	/* A real one takes no short picture either. */
	for (i = 0; i < context->raw.num_planes; i++)
		if (vb2_get_plane_payload(buffer, i) < context->raw.plane_fmt[i].sizeimage)
			return -EINVAL;
	return 0;
}

/* Progressive pictures only. */
static int buf_out_validate(struct vb2_buffer *buffer)
{
	struct vb2_v4l2_buffer *picture = to_vb2_v4l2_buffer(buffer);

	if (picture->field == V4L2_FIELD_ANY)
		picture->field = V4L2_FIELD_NONE;
	return picture->field == V4L2_FIELD_NONE ? 0 : -EINVAL;
}

static void buf_queue(struct vb2_buffer *buffer)
{
	static const struct v4l2_event end = { .type = V4L2_EVENT_EOS };
	struct context *context = vb2_get_drv_priv(buffer->vb2_queue);
	struct v4l2_m2m_ctx *m2m = context->fh.m2m_ctx;

	/* Drained while it had no place to say so (Drain, corner cases). */
	if (V4L2_TYPE_IS_CAPTURE(buffer->type) && vb2_is_streaming(buffer->vb2_queue) && v4l2_m2m_dst_buf_is_last(m2m)) {
		vb2_set_plane_payload(buffer, 0, 0);
		v4l2_m2m_last_buffer_done(m2m, to_vb2_v4l2_buffer(buffer));
		v4l2_event_queue_fh(&context->fh, &end);
		return;
	}
	v4l2_m2m_buf_queue(m2m, to_vb2_v4l2_buffer(buffer));
}

static void return_buffers(struct vb2_queue *queue, enum vb2_buffer_state state)
{
	struct context *context = vb2_get_drv_priv(queue);
	struct vb2_v4l2_buffer *buffer;

	for (;;) {
		buffer = V4L2_TYPE_IS_OUTPUT(queue->type) ? v4l2_m2m_src_buf_remove(context->fh.m2m_ctx) :
							    v4l2_m2m_dst_buf_remove(context->fh.m2m_ctx);
		if (!buffer)
			return;
		v4l2_m2m_buf_done(buffer, state);
	}
}

static int start_streaming(struct vb2_queue *queue, unsigned int count)
{
	struct context *context = vb2_get_drv_priv(queue);

	v4l2_m2m_update_start_streaming_state(context->fh.m2m_ctx, queue);
	context->sequences[V4L2_TYPE_IS_CAPTURE(queue->type)] = 0;
	if (V4L2_TYPE_IS_OUTPUT(queue->type))
		return 0;
	set_stream(context);
	context->since_idr = 0;
	context->reference = vzalloc(pcm264_reference_size(&context->stream));
	if (context->reference)
		return 0;
	return_buffers(queue, VB2_BUF_STATE_QUEUED);
	return -ENOMEM;
}

static void stop_streaming(struct vb2_queue *queue)
{
	static const struct v4l2_event end = { .type = V4L2_EVENT_EOS };
	struct context *context = vb2_get_drv_priv(queue);

	return_buffers(queue, VB2_BUF_STATE_ERROR);
	v4l2_m2m_update_stop_streaming_state(context->fh.m2m_ctx, queue);
	if (V4L2_TYPE_IS_OUTPUT(queue->type) && v4l2_m2m_has_stopped(context->fh.m2m_ctx))
		v4l2_event_queue_fh(&context->fh, &end);
	if (V4L2_TYPE_IS_CAPTURE(queue->type)) {
		vfree(context->reference);
		context->reference = NULL;
	}
}

static const struct vb2_ops queue_ops = {
	.queue_setup = queue_setup,
	.buf_prepare = buf_prepare,
	.buf_out_validate = buf_out_validate,
	.buf_queue = buf_queue,
	.start_streaming = start_streaming,
	.stop_streaming = stop_streaming,
	.wait_prepare = vb2_ops_wait_prepare,
	.wait_finish = vb2_ops_wait_finish,
};

static int queue_init(void *priv, struct vb2_queue *source, struct vb2_queue *target)
{
	struct context *context = priv;
	struct vb2_queue *queues[] = { source, target };
	int i, result;

	source->type = V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE;
	target->type = V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE;
	for (i = 0; i < 2; i++) {
		queues[i]->io_modes = VB2_MMAP | (imports ? VB2_DMABUF : 0);
		queues[i]->drv_priv = context;
		queues[i]->buf_struct_size = sizeof(struct v4l2_m2m_buffer);
		queues[i]->ops = &queue_ops;
		queues[i]->mem_ops = &vb2_vmalloc_memops;
		queues[i]->timestamp_flags = V4L2_BUF_FLAG_TIMESTAMP_COPY;
		queues[i]->lock = &context->device->lock;
		result = vb2_queue_init(queues[i]);
		if (result)
			return result;
	}
	return 0;
}

static int querycap(struct file *file, void *priv, struct v4l2_capability *capability)
{
	strscpy(capability->driver, NAME, sizeof(capability->driver));
	strscpy(capability->card, NAME, sizeof(capability->card));
	return 0;
}

static int enum_coded(struct file *file, void *priv, struct v4l2_fmtdesc *format)
{
	format->pixelformat = V4L2_PIX_FMT_H264;
	return format->index ? -EINVAL : 0;
}

static int enum_raw(struct file *file, void *priv, struct v4l2_fmtdesc *format)
{
	static const u32 raw[] = { V4L2_PIX_FMT_NV12, V4L2_PIX_FMT_NV12M };

	if (format->index >= ARRAY_SIZE(raw))
		return -EINVAL;
	format->pixelformat = raw[format->index];
	return 0;
}

static int enum_sizes(struct file *file, void *priv, struct v4l2_frmsizeenum *size)
{
	if (size->index || (size->pixel_format != V4L2_PIX_FMT_H264 && size->pixel_format != V4L2_PIX_FMT_NV12 &&
			    size->pixel_format != V4L2_PIX_FMT_NV12M))
		return -EINVAL;
	size->type = V4L2_FRMSIZE_TYPE_STEPWISE;
	size->stepwise = (struct v4l2_frmsize_stepwise){ MIN_SIDE, max_side, alignment, MIN_SIDE, max_side, alignment };
	return 0;
}

static void set_size(struct context *context, u32 width, u32 height)
{
	context->stream.width = width;
	context->stream.height = height;
	context->coded_size = max(context->coded_size, pcm264_size(&context->stream));
}

static int get_coded(struct file *file, void *priv, struct v4l2_format *format)
{
	struct context *context = context_of(file);
	struct v4l2_pix_format_mplane *pix = &format->fmt.pix_mp;

	*pix = context->raw;
	pix->pixelformat = V4L2_PIX_FMT_H264;
	pix->num_planes = 1;
	pix->plane_fmt[0].bytesperline = 0;
	pix->plane_fmt[0].sizeimage = context->coded_size;
	return 0;
}

static int try_coded(struct file *file, void *priv, struct v4l2_format *format)
{
	u32 size = format->fmt.pix_mp.plane_fmt[0].sizeimage;

	get_coded(file, priv, format);
	format->fmt.pix_mp.plane_fmt[0].sizeimage = max(size, pcm264_size(&context_of(file)->stream));
	return 0;
}

static int get_raw(struct file *file, void *priv, struct v4l2_format *format)
{
	format->fmt.pix_mp = context_of(file)->raw;
	return 0;
}

static int try_raw(struct file *file, void *priv, struct v4l2_format *format)
{
	struct v4l2_pix_format_mplane *pix = &format->fmt.pix_mp;
	u32 stride, luma;

	if (pix->pixelformat != V4L2_PIX_FMT_NV12M)
		pix->pixelformat = V4L2_PIX_FMT_NV12;
	pix->num_planes = pix->pixelformat == V4L2_PIX_FMT_NV12M ? 2 : 1;
	pix->field = V4L2_FIELD_NONE;
	pix->width = roundup(clamp_t(u32, pix->width, MIN_SIDE, max_side), alignment);
	pix->height = roundup(clamp_t(u32, pix->height, MIN_SIDE, max_side), alignment);
	stride = clamp_t(u32, pix->plane_fmt[0].bytesperline, pix->width, 2 * MAX_SIDE);
	stride = roundup(stride, stride_alignment);
	luma = stride * pix->height;
	pix->plane_fmt[0].bytesperline = pix->plane_fmt[1].bytesperline = stride;
	pix->plane_fmt[0].sizeimage = pix->num_planes > 1 ? luma : luma / 2 * 3;
	pix->plane_fmt[1].sizeimage = luma / 2;
	return 0;
}

static bool has_buffers(struct context *context, u32 type)
{
	return vb2_is_busy(v4l2_m2m_get_vq(context->fh.m2m_ctx, type));
}

static bool is_streaming(struct context *context, u32 type)
{
	return vb2_is_streaming(v4l2_m2m_get_vq(context->fh.m2m_ctx, type));
}

static int set_coded(struct file *file, void *priv, struct v4l2_format *format)
{
	if (has_buffers(context_of(file), format->type))
		return -EBUSY;
	try_coded(file, priv, format);
	context_of(file)->coded_size = format->fmt.pix_mp.plane_fmt[0].sizeimage;
	return 0;
}

static int set_raw(struct file *file, void *priv, struct v4l2_format *format)
{
	struct context *context = context_of(file);

	if (has_buffers(context, format->type))
		return -EBUSY;
	try_raw(file, priv, format);
	context->raw = format->fmt.pix_mp;
	set_size(context, context->raw.width, context->raw.height);
	return 0;
}

static int get_selection(struct file *file, void *priv, struct v4l2_selection *selection)
{
	struct context *context = context_of(file);
	bool is_crop = selection->target == V4L2_SEL_TGT_CROP;

	if (selection->type != V4L2_BUF_TYPE_VIDEO_OUTPUT)
		return -EINVAL;
	if (!is_crop && selection->target != V4L2_SEL_TGT_CROP_DEFAULT &&
	    selection->target != V4L2_SEL_TGT_CROP_BOUNDS)
		return -EINVAL;
	selection->r = (struct v4l2_rect){ 0, 0, is_crop ? context->stream.width : context->raw.width,
					   is_crop ? context->stream.height : context->raw.height };
	return 0;
}

static int set_selection(struct file *file, void *priv, struct v4l2_selection *selection)
{
	struct context *context = context_of(file);

	if (selection->type != V4L2_BUF_TYPE_VIDEO_OUTPUT || selection->target != V4L2_SEL_TGT_CROP)
		return -EINVAL;
	if (is_streaming(context, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE))
		return -EBUSY;
	set_size(context, clamp_t(u32, selection->r.width, 2, context->raw.width) & ~1,
		 clamp_t(u32, selection->r.height, 2, context->raw.height) & ~1);
	return get_selection(file, priv, selection);
}

static int get_interval(struct file *file, void *priv, struct v4l2_streamparm *parameters)
{
	struct context *context = context_of(file);
	struct v4l2_fract interval = { context->stream.interval_numerator, context->stream.interval_denominator };

	/* That of the pictures is that of the stream. */
	if (!V4L2_TYPE_IS_OUTPUT(parameters->type))
		return -EINVAL;
	parameters->parm.output.capability = V4L2_CAP_TIMEPERFRAME;
	parameters->parm.output.timeperframe = interval;
	return 0;
}

static int set_interval(struct file *file, void *priv, struct v4l2_streamparm *parameters)
{
	struct context *context = context_of(file);
	struct v4l2_fract *interval = &parameters->parm.output.timeperframe;

	if (V4L2_TYPE_IS_OUTPUT(parameters->type) && interval->numerator && interval->denominator) {
		context->stream.interval_numerator = interval->numerator;
		context->stream.interval_denominator = interval->denominator;
	}
	return get_interval(file, priv, parameters);
}

static int qbuf(struct file *file, void *priv, struct v4l2_buffer *buffer)
{
	return broken ? -EIO : v4l2_m2m_ioctl_qbuf(file, priv, buffer);
}

static int encoder_cmd(struct file *file, void *priv, struct v4l2_encoder_cmd *command)
{
	static const struct v4l2_event end = { .type = V4L2_EVENT_EOS };
	struct context *context = context_of(file);
	struct v4l2_m2m_ctx *m2m = context->fh.m2m_ctx;
	int result = v4l2_m2m_ioctl_try_encoder_cmd(file, priv, command);

	if (result < 0 || !vb2_is_streaming(&m2m->out_q_ctx.q))
		return result;
	result = v4l2_m2m_ioctl_encoder_cmd(file, priv, command);
	if (result < 0 || !v4l2_m2m_has_stopped(m2m))
		return result;
	if (command->cmd == V4L2_ENC_CMD_STOP)
		v4l2_event_queue_fh(&context->fh, &end);
	else
		vb2_clear_last_buffer_dequeued(&m2m->cap_q_ctx.q);
	return 0;
}

static int subscribe(struct v4l2_fh *fh, const struct v4l2_event_subscription *subscription)
{
	return subscription->type == V4L2_EVENT_EOS ? v4l2_event_subscribe(fh, subscription, 0, NULL) :
						      v4l2_ctrl_subscribe_event(fh, subscription);
}

static const struct v4l2_ioctl_ops ioctls = {
	.vidioc_querycap = querycap,
	.vidioc_enum_fmt_vid_cap = enum_coded,
	.vidioc_enum_fmt_vid_out = enum_raw,
	.vidioc_enum_framesizes = enum_sizes,
	.vidioc_g_fmt_vid_cap_mplane = get_coded,
	.vidioc_try_fmt_vid_cap_mplane = try_coded,
	.vidioc_s_fmt_vid_cap_mplane = set_coded,
	.vidioc_g_fmt_vid_out_mplane = get_raw,
	.vidioc_try_fmt_vid_out_mplane = try_raw,
	.vidioc_s_fmt_vid_out_mplane = set_raw,
	.vidioc_g_selection = get_selection,
	.vidioc_s_selection = set_selection,
	.vidioc_g_parm = get_interval,
	.vidioc_s_parm = set_interval,
	.vidioc_reqbufs = v4l2_m2m_ioctl_reqbufs,
	.vidioc_querybuf = v4l2_m2m_ioctl_querybuf,
	.vidioc_qbuf = qbuf,
	.vidioc_dqbuf = v4l2_m2m_ioctl_dqbuf,
	.vidioc_prepare_buf = v4l2_m2m_ioctl_prepare_buf,
	.vidioc_create_bufs = v4l2_m2m_ioctl_create_bufs,
	.vidioc_expbuf = v4l2_m2m_ioctl_expbuf,
	.vidioc_streamon = v4l2_m2m_ioctl_streamon,
	.vidioc_streamoff = v4l2_m2m_ioctl_streamoff,
	.vidioc_try_encoder_cmd = v4l2_m2m_ioctl_try_encoder_cmd,
	.vidioc_encoder_cmd = encoder_cmd,
	.vidioc_subscribe_event = subscribe,
	.vidioc_unsubscribe_event = v4l2_event_unsubscribe,
};

/* What is asked for while it runs is told in the kernel's log. */
static int set_control(struct v4l2_ctrl *control)
{
	struct context *context = container_of(control->handler, struct context, controls);

	if (control->id == V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME)
		context->force_idr = true;
	if (control->id == V4L2_CID_MPEG_VIDEO_H264_CPB_SIZE)
		v4l2_info(&context->device->v4l2_dev, "coded picture buffer %d kB\n", control->val);
	if (control->id != V4L2_CID_MPEG_VIDEO_BITRATE)
		return 0;
	if ((refuses && context->has_bitrate) || (fixed && is_streaming(context, V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE)))
		return -EBUSY;
	context->has_bitrate = true;
	v4l2_info(&context->device->v4l2_dev, "bitrate %d\n", control->val);
	return 0;
}

static const struct v4l2_ctrl_ops control_ops = { .s_ctrl = set_control };

static int make_controls(struct context *context)
{
	struct v4l2_ctrl_handler *controls = &context->controls;
	const struct v4l2_ctrl_ops *ops = &control_ops;
	u64 profiles = BIT(V4L2_MPEG_VIDEO_H264_PROFILE_CONSTRAINED_BASELINE) | BIT(V4L2_MPEG_VIDEO_H264_PROFILE_MAIN);

	v4l2_ctrl_handler_init(controls, 8);
	v4l2_ctrl_new_std(controls, NULL, V4L2_CID_MIN_BUFFERS_FOR_OUTPUT, 1, 1, 1, 1);
	v4l2_ctrl_new_std(controls, ops, V4L2_CID_MPEG_VIDEO_BITRATE, 25000, 25000000, 1, 1000000);
	v4l2_ctrl_new_std_menu(controls, ops, V4L2_CID_MPEG_VIDEO_BITRATE_MODE, V4L2_MPEG_VIDEO_BITRATE_MODE_CBR, 0,
			       V4L2_MPEG_VIDEO_BITRATE_MODE_VBR);
	v4l2_ctrl_new_std(controls, ops, V4L2_CID_MPEG_VIDEO_H264_CPB_SIZE, 0, 100000, 1, 1000);
	context->gop = v4l2_ctrl_new_std(controls, ops, V4L2_CID_MPEG_VIDEO_GOP_SIZE, 1, 1000, 1, 30);
	v4l2_ctrl_new_std(controls, ops, V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME, 0, 0, 0, 0);
	v4l2_ctrl_new_std(controls, ops, V4L2_CID_MPEG_VIDEO_REPEAT_SEQ_HEADER, 0, 1, 1, 1);
	context->profile = v4l2_ctrl_new_std_menu(controls, ops, V4L2_CID_MPEG_VIDEO_H264_PROFILE,
						  V4L2_MPEG_VIDEO_H264_PROFILE_MAIN, ~profiles,
						  V4L2_MPEG_VIDEO_H264_PROFILE_MAIN);
	context->level = v4l2_ctrl_new_std_menu(controls, ops, V4L2_CID_MPEG_VIDEO_H264_LEVEL,
						V4L2_MPEG_VIDEO_H264_LEVEL_5_2, 0, V4L2_MPEG_VIDEO_H264_LEVEL_4_0);
	return controls->error;
}

static int node_open(struct file *file)
{
	struct pcm264 *device = video_drvdata(file);
	struct v4l2_format format = {};
	struct context *context;
	int result;

	if (busy || (single && !list_empty(&device->node.fh_list)))
		return -EBUSY;
	context = kzalloc(sizeof(*context), GFP_KERNEL);
	if (!context)
		return -ENOMEM;
	context->device = device;
	INIT_DELAYED_WORK(&context->work, finish);
	format.fmt.pix_mp.width = 640;
	format.fmt.pix_mp.height = 352;
	format.fmt.pix_mp.colorspace = V4L2_COLORSPACE_REC709;
	try_raw(file, NULL, &format);
	context->raw = format.fmt.pix_mp;
	context->stream.interval_numerator = 1;
	context->stream.interval_denominator = 30;
	set_size(context, context->raw.width, context->raw.height);
	v4l2_fh_init(&context->fh, &device->node);
	result = make_controls(context);
	if (result)
		goto free;
	context->fh.ctrl_handler = &context->controls;
	context->fh.m2m_ctx = v4l2_m2m_ctx_init(device->m2m, context, queue_init);
	if (IS_ERR(context->fh.m2m_ctx)) {
		result = PTR_ERR(context->fh.m2m_ctx);
		goto free;
	}
	file->private_data = &context->fh;
	v4l2_fh_add(&context->fh);
	return 0;
free:
	v4l2_ctrl_handler_free(&context->controls);
	v4l2_fh_exit(&context->fh);
	kfree(context);
	return result;
}

static int node_release(struct file *file)
{
	struct context *context = context_of(file);

	v4l2_fh_del(&context->fh);
	v4l2_fh_exit(&context->fh);
	mutex_lock(&context->device->lock);
	v4l2_m2m_ctx_release(context->fh.m2m_ctx);
	mutex_unlock(&context->device->lock);
	v4l2_ctrl_handler_free(&context->controls);
	kfree(context);
	return 0;
}

static const struct v4l2_file_operations file_ops = {
	.owner = THIS_MODULE,
	.open = node_open,
	.release = node_release,
	.poll = v4l2_m2m_fop_poll,
	.unlocked_ioctl = video_ioctl2,
	.mmap = v4l2_m2m_fop_mmap,
};

static struct pcm264 pcm264;

/* As when a driver is unbound: open files stay, and whoever waits for a picture wakes up. */
static int set_gone(const char *value, const struct kernel_param *parameter)
{
	struct video_device *node = &pcm264.node;
	struct v4l2_fh *fh;

	if (!video_is_registered(node))
		return -ENODEV;
	video_unregister_device(node);
	spin_lock_irq(&node->fh_lock);
	list_for_each_entry(fh, &node->fh_list, list) {
		vb2_queue_error(&fh->m2m_ctx->out_q_ctx.q);
		vb2_queue_error(&fh->m2m_ctx->cap_q_ctx.q);
	}
	spin_unlock_irq(&node->fh_lock);
	return 0;
}

static const struct kernel_param_ops gone_ops = { .set = set_gone };
module_param_cb(gone, &gone_ops, NULL, 0200);
MODULE_PARM_DESC(gone, "a write takes the node away");

static void device_release(struct device *device)
{
}

static struct platform_device platform = { .name = NAME, .dev.release = device_release };

static int __init start(void)
{
	struct video_device *node = &pcm264.node;
	int result = platform_device_register(&platform);

	if (result)
		return result;
	mutex_init(&pcm264.lock);
	/* It has no platform driver to be named by. */
	strscpy(pcm264.v4l2_dev.name, NAME, sizeof(pcm264.v4l2_dev.name));
	result = v4l2_device_register(&platform.dev, &pcm264.v4l2_dev);
	if (result)
		goto platform;
	pcm264.m2m = v4l2_m2m_init(&m2m_ops);
	result = PTR_ERR_OR_ZERO(pcm264.m2m);
	if (result)
		goto device;
	strscpy(node->name, NAME, sizeof(node->name));
	node->v4l2_dev = &pcm264.v4l2_dev;
	node->lock = &pcm264.lock;
	node->fops = &file_ops;
	node->ioctl_ops = &ioctls;
	node->release = video_device_release_empty;
	node->vfl_dir = VFL_DIR_M2M;
	node->device_caps = V4L2_CAP_VIDEO_M2M_MPLANE | V4L2_CAP_STREAMING;
	video_set_drvdata(node, &pcm264);
	result = video_register_device(node, VFL_TYPE_VIDEO, -1);
	if (!result)
		return 0;
	v4l2_m2m_release(pcm264.m2m);
device:
	v4l2_device_unregister(&pcm264.v4l2_dev);
platform:
	platform_device_unregister(&platform);
	return result;
}

static void __exit stop(void)
{
	video_unregister_device(&pcm264.node);
	v4l2_m2m_release(pcm264.m2m);
	v4l2_device_unregister(&pcm264.v4l2_dev);
	platform_device_unregister(&platform);
}

module_init(start);
module_exit(stop);

MODULE_DESCRIPTION("A stateful H.264 encoder without hardware, for tests");
MODULE_LICENSE("Dual MIT/GPL");
