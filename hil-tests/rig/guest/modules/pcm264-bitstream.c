// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * An H.264 byte stream (annex B) of I_PCM and skipped macroblocks: valid, complete, and as simple as one can be.
 */

#include <linux/bitops.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/string.h>

#include "pcm264.h"

#define MACROBLOCK 384

struct writer {
	u8 *out;
	u32 length;
	/* Zero bytes in a row, for the emulation prevention of clause 7.4.1. */
	u32 zeros;
	u8 byte;
	u32 bits;
};

static void put_byte(struct writer *writer, u8 byte)
{
	if (writer->zeros == 2 && byte <= 3) {
		writer->out[writer->length++] = 3;
		writer->zeros = 0;
	}
	writer->zeros = byte ? 0 : writer->zeros + 1;
	writer->out[writer->length++] = byte;
}

static void put(struct writer *writer, u32 value, u32 count)
{
	while (count--) {
		writer->byte = writer->byte << 1 | ((value >> count) & 1);
		if (++writer->bits == 8) {
			put_byte(writer, writer->byte);
			writer->bits = 0;
		}
	}
}

/* ue(v), clause 9.1 */
static void put_ue(struct writer *writer, u32 value)
{
	u32 length = fls(value + 1);

	put(writer, 0, length - 1);
	put(writer, value + 1, length);
}

static void align(struct writer *writer)
{
	while (writer->bits)
		put(writer, 0, 1);
}

static void begin(struct writer *writer, u8 header)
{
	static const u8 start_code[] = { 0, 0, 0, 1 };

	memcpy(writer->out + writer->length, start_code, sizeof(start_code));
	writer->length += sizeof(start_code);
	writer->zeros = 0;
	put(writer, header, 8);
}

/* rbsp_trailing_bits */
static void end(struct writer *writer)
{
	put(writer, 1, 1);
	align(writer);
}

static void put_sps(struct writer *writer, const struct pcm264_stream *stream)
{
	u32 right = (16 - stream->width % 16) % 16 / 2, bottom = (16 - stream->height % 16) % 16 / 2;

	begin(writer, 0x67);
	put(writer, stream->profile_idc, 8);
	put(writer, stream->constraints, 8);
	put(writer, stream->level_idc, 8);
	put_ue(writer, 0); /* seq_parameter_set_id */
	put_ue(writer, 4); /* log2_max_frame_num_minus4 */
	put_ue(writer, 2); /* pic_order_cnt_type: output order is decoding order */
	put_ue(writer, 1); /* max_num_ref_frames */
	put(writer, 0, 1); /* gaps_in_frame_num_value_allowed_flag */
	put_ue(writer, DIV_ROUND_UP(stream->width, 16) - 1);
	put_ue(writer, DIV_ROUND_UP(stream->height, 16) - 1);
	put(writer, 1, 1); /* frame_mbs_only_flag */
	put(writer, 1, 1); /* direct_8x8_inference_flag */
	put(writer, right || bottom, 1);
	if (right || bottom) {
		put_ue(writer, 0);
		put_ue(writer, right);
		put_ue(writer, 0);
		put_ue(writer, bottom);
	}
	put(writer, 1, 1); /* vui_parameters_present_flag */
	put(writer, 0, 2); /* aspect ratio, overscan */
	put(writer, 1, 1); /* video_signal_type_present_flag */
	put(writer, 5, 3); /* video_format: unspecified */
	put(writer, stream->is_full_range, 1);
	put(writer, 1, 1); /* colour_description_present_flag */
	put(writer, stream->primaries, 8);
	put(writer, stream->transfer, 8);
	put(writer, stream->matrix, 8);
	put(writer, 0, 1); /* chroma_loc_info_present_flag */
	put(writer, 1, 1); /* timing_info_present_flag */
	put(writer, stream->interval_numerator, 32);
	put(writer, stream->interval_denominator * 2, 32); /* in fields */
	put(writer, 0, 1); /* fixed_frame_rate_flag */
	put(writer, 0, 2); /* no HRD parameters */
	put(writer, 0, 1); /* pic_struct_present_flag */
	put(writer, 1, 1); /* bitstream_restriction_flag */
	put(writer, 1, 1); /* motion_vectors_over_pic_boundaries_flag */
	put_ue(writer, 0); /* max_bytes_per_pic_denom: no limit */
	put_ue(writer, 0); /* max_bits_per_mb_denom: no limit */
	put_ue(writer, 10); /* log2_max_mv_length_horizontal */
	put_ue(writer, 10); /* log2_max_mv_length_vertical */
	put_ue(writer, 0); /* max_num_reorder_frames */
	put_ue(writer, 1); /* max_dec_frame_buffering */
	end(writer);
}

static void put_pps(struct writer *writer)
{
	begin(writer, 0x68);
	put_ue(writer, 0); /* pic_parameter_set_id */
	put_ue(writer, 0); /* seq_parameter_set_id */
	put(writer, 0, 2); /* CAVLC, no field order */
	put_ue(writer, 0); /* one slice group */
	put_ue(writer, 0); /* num_ref_idx_l0_default_active_minus1 */
	put_ue(writer, 0);
	put(writer, 0, 3); /* no weighted prediction */
	put_ue(writer, 0); /* pic_init_qp_minus26 */
	put_ue(writer, 0); /* pic_init_qs_minus26 */
	put_ue(writer, 0); /* chroma_qp_index_offset */
	put(writer, 1, 1); /* deblocking_filter_control_present_flag */
	put(writer, 0, 2); /* intra prediction from all, no redundant pictures */
	end(writer);
}

static void put_slice_header(struct writer *writer, bool idr, u8 frame_num, u16 idr_pic_id)
{
	begin(writer, idr ? 0x65 : 0x41);
	put_ue(writer, 0); /* first_mb_in_slice */
	put_ue(writer, idr ? 7 : 5); /* slice_type: all I, or all P */
	put_ue(writer, 0); /* pic_parameter_set_id */
	put(writer, frame_num, 8);
	if (idr) {
		put_ue(writer, idr_pic_id);
		put(writer, 0, 2); /* prior pictures are put out, no long-term reference */
	} else {
		put(writer, 0, 1); /* num_ref_idx_active_override_flag */
		put(writer, 0, 1); /* ref_pic_list_modification_flag_l0 */
		put(writer, 0, 1); /* adaptive_ref_pic_marking_mode_flag */
	}
	put_ue(writer, 0); /* slice_qp_delta */
	put_ue(writer, 1); /* disable_deblocking_filter_idc */
}

/* 16 bytes of a line. What is beyond its end is its last sample, of `sample` bytes. */
static void fetch_row(const u8 *line, u32 at, u32 length, u32 sample, u8 *row)
{
	u32 i;

	if (at + 16 <= length) {
		memcpy(row, line + at, 16);
		return;
	}
	for (i = 0; i < 16; i++)
		row[i] = line[at + i < length ? at + i : length - sample + i % sample];
}

/* A macroblock as it lies in the picture: 16 rows of Y, 8 of Cb and Cr. What is below the last row is that row. */
static void fetch(const struct pcm264_stream *stream, const struct pcm264_picture *picture, u32 column, u32 row,
		  u8 *macroblock)
{
	u32 y;

	for (y = 0; y < 16; y++, macroblock += 16)
		fetch_row(picture->luma + min(row * 16 + y, stream->height - 1) * picture->luma_stride, column * 16,
			  stream->width, 1, macroblock);
	for (y = 0; y < 8; y++, macroblock += 16)
		fetch_row(picture->chroma + min(row * 8 + y, stream->height / 2 - 1) * picture->chroma_stride,
			  column * 16, stream->width, 2, macroblock);
}

/* Y, then Cb, then Cr (clause 7.3.5). No sample is zero, so that nothing looks like a start code. */
static void put_samples(struct writer *writer, const u8 *macroblock)
{
	u32 i, plane;

	for (i = 0; i < 256; i++)
		put_byte(writer, max_t(u8, macroblock[i], 1));
	for (plane = 0; plane < 2; plane++)
		for (i = 256 + plane; i < MACROBLOCK; i += 2)
			put_byte(writer, max_t(u8, macroblock[i], 1));
}

u32 pcm264_macroblocks(const struct pcm264_stream *stream)
{
	return DIV_ROUND_UP(stream->width, 16) * DIV_ROUND_UP(stream->height, 16);
}

u32 pcm264_size(const struct pcm264_stream *stream)
{
	return pcm264_macroblocks(stream) * (MACROBLOCK + 8) + 512;
}

u32 pcm264_reference_size(const struct pcm264_stream *stream)
{
	return pcm264_macroblocks(stream) * MACROBLOCK;
}

u32 pcm264_write(const struct pcm264_stream *stream, const struct pcm264_picture *picture, bool idr, u8 frame_num,
		 u16 idr_pic_id, u8 *reference, u8 *out)
{
	struct writer writer = { .out = out };
	u32 columns = DIV_ROUND_UP(stream->width, 16), rows = DIV_ROUND_UP(stream->height, 16);
	u32 column, row, skipped = 0;
	u8 macroblock[MACROBLOCK];

	if (idr) {
		put_sps(&writer, stream);
		put_pps(&writer);
	}
	put_slice_header(&writer, idr, frame_num, idr_pic_id);
	for (row = 0; row < rows; row++) {
		for (column = 0; column < columns; column++, reference += MACROBLOCK) {
			fetch(stream, picture, column, row, macroblock);
			if (!idr && !memcmp(macroblock, reference, MACROBLOCK)) {
				skipped++;
				continue;
			}
			memcpy(reference, macroblock, MACROBLOCK);
			if (!idr)
				put_ue(&writer, skipped);
			skipped = 0;
			put_ue(&writer, idr ? 25 : 30); /* mb_type: I_PCM */
			align(&writer);
			put_samples(&writer, macroblock);
		}
	}
	if (skipped)
		put_ue(&writer, skipped);
	end(&writer);
	return writer.length;
}
