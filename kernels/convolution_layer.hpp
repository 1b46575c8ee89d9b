// A binary convolution of 3x3 with padding 1, in training: convolution, max-pooling, normalization,
// binarization, and the way back.
//
// Maps are bits, channels last: (batch, height, width, channels / 8), as a fully connected layer
// reads them. Everything happens image by image, in memory of the thread's own that fits a
// second-level cache; integers make the result independent of how images are divided. Only these
// are held for a whole batch: a map's bits, its pooled sums, the places of the largest of four, and
// one gradient of a map's sums, as integers.
//
// All three products run by the kernels of fully connected layers:
//   forward          the bits of a patch by the weights' bits,
//   input gradient   the rounded gradients of a sum by the weights' bits, added to the nine
//                    positions that it reads; what meets there shares a factor, one per image,
//   weight gradient  the rounded gradients of an image's sums by its map's bits, transposed and
//                    shifted by each tap; with a factor per feature for the whole batch.
// The first layer reads pixels of 4 bits instead. Bits are padded by -1, pixels by 0.
#pragma once

#include <vector>

#include "map_sums.hpp"
#include "step.hpp"

namespace kernels {

using convolution::Shape;

// The gradient of a map's bits: (panels, batch * positions, 32) int16 or int32, times a factor per
// image.
struct MapGradient {
  const void* data;
  bool wide;
  const float* factors;  // (batch)
};

// Memory that the convolutions of a network take in turn.
struct ConvolutionMemory {
  // Of the gradients of two maps, one comes in where the other goes out.
  Buffer gradients[2];
  Buffer factors[2];
  Buffer scratch, totals, column_factors, image_factors, sums, learnt;

  std::size_t size() const;
};

class ConvolutionLayer {
 public:
  // index: of the layer in the network. parameters, gradient: (panels, 2, 32) of normalization.
  ConvolutionLayer(const Shape& shape, std::size_t index, Learner* learner,
                   float* parameters, float* gradient, float* running);

  // Return the map's bits, (batch, positions, features / 8).
  const std::uint8_t* forward(const StepContext& context, ConvolutionMemory& memory,
                              const MapInput& x);
  // Learn from the gradient of the map, and return that of the map that was read: none of pixels.
  MapGradient backward(const StepContext& context, ConvolutionMemory& memory, const MapInput& x,
                       const MapGradient& incoming);

  const Shape& shape() const { return shape_; }
  std::size_t panels() const { return panels_; }
  float* gradient() const { return gradient_; }
  std::size_t weight_bytes() const;
  std::size_t saved_bytes() const;

 private:
  void binarize_weights(const StepContext& context, bool of_pixels);
  void transpose_weights(const StepContext& context, std::uint8_t* out) const;
  void sum_image(const StepContext& context, const MapInput& x, std::size_t image,
                 std::uint8_t* scratch);
  void normalize(const StepContext& context, const double* of_images);
  // What the gradient of a panel of an image's sums, (out, 32), is computed from.
  struct PanelOfImage {
    normalization::Panel sums;
    normalization::Batch batch;
    normalization::Gradient gradient;
  };
  // factors: (out), to fill.
  PanelOfImage panel_of(const StepContext& context, const MapGradient& incoming,
                        std::size_t image, std::size_t panel, float* factors) const;

  Shape shape_;
  std::size_t index_, panels_;
  Learner* learner_;
  float* parameters_;
  float* gradient_;
  float* running_;
  std::vector<float> batch_;  // (panels, 5, 32)
  Buffer rows_, weights_, bits_, sums_, places_;
};

}  // namespace kernels
