/* What a convolution makes of its sums before they are stored: the normalisation that follows it. */
#ifndef DISTILLERY_CHANNEL_FINISH_H
#define DISTILLERY_CHANNEL_FINISH_H

/* clamp(scale * sum + shift [+ residual]), scale and shift by output channel. */
typedef struct {
  /* Numbers for whole panels of channels (see `FINISH_PANEL`), the last ones of no matter. */
  const float *scale, *shift;
  /* Like the output, whose memory it may be, or NULL. */
  const void *residual;
  float low, high;
} channel_finish;

#define FINISH_PANEL 32

#endif
