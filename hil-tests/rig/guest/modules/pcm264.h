/* SPDX-License-Identifier: MIT OR GPL-2.0 */
#ifndef PCM264_H
#define PCM264_H

#include <linux/types.h>

/* What a stream is made of. */
struct pcm264_stream {
	u32 width, height;
	/* Of the SPS (H.264 clause 7.4.2.1.1). */
	u8 profile_idc, constraints, level_idc;
	/* Of the VUI (H.264 tables E-3 to E-5). */
	u8 primaries, transfer, matrix;
	bool is_full_range;
	/* Seconds from one picture to the next. */
	u32 interval_numerator, interval_denominator;
};

/* A raw picture: Y, and Cb and Cr alternating, at half width and height. */
struct pcm264_picture {
	const u8 *luma, *chroma;
	u32 luma_stride, chroma_stride;
};

/* Macroblocks of a stream. */
u32 pcm264_macroblocks(const struct pcm264_stream *stream);

/* Bytes that an access unit has at most. */
u32 pcm264_size(const struct pcm264_stream *stream);

/* Bytes of the picture that the next one refers to: 384 a macroblock. */
u32 pcm264_reference_size(const struct pcm264_stream *stream);

/*
 * Writes an access unit: with SPS and PPS, and without looking at the reference, where it is an IDR picture. Macroblocks that
 * are those of the reference are skipped, the others go in as they are. The reference becomes this picture.
 */
u32 pcm264_write(const struct pcm264_stream *stream, const struct pcm264_picture *picture, bool idr, u8 frame_num,
		 u16 idr_pic_id, u8 *reference, u8 *out);

#endif
