#include "learners.hpp"

#include "parallel.hpp"

namespace kernels {
namespace {

using optimizers::Gradient;
using rounding::Latent;

void pack_latent(Team team, Size size, const void* latent, Latent form, std::size_t bytes_of_weight,
                 float noise, Draw draw, std::uint8_t* out) {
  const std::size_t stride = size.padded() * bytes_of_weight, bytes = bytes_for(size.columns);
  const int threads = worth_starting(size.rows * size.padded(), kBitsMoved, team.threads);
  for_each(size.rows, threads, [&](std::size_t r) {
    team.set.rounding->pack_row(static_cast<const char*>(latent) + r * stride, form, r,
                                size.columns, noise, draw, out + r * bytes);
  });
}

class RowProp final : public Learner {
 public:
  RowProp(Size size, optimizers::LatentWeights latent, float* mean_square, float beta)
      : size_(size), latent_(latent), mean_square_(mean_square), beta_(beta) {}

  void binarize(Team team, float noise, Draw draw, std::uint8_t* out) const override {
    pack_latent(team, size_, latent_.data, latent_.bits == 8 ? Latent::bytes : Latent::words,
                bytes_of_weight(), noise, draw, out);
  }

  void update(const InstructionSet& set, Gradient gradient, std::size_t first, std::size_t count,
              const Rate& rate, Draw draw) override {
    const std::size_t padded = size_.padded();
    char* latent = static_cast<char*>(latent_.data) + first * padded * bytes_of_weight();
    set.optimizers->rowprop({latent, latent_.bits}, mean_square_ + first, gradient,
                            {rate.learning_rate, rate.correction_before, beta_, size_.columns},
                            padded, 0, count, draw, first);
  }

 private:
  std::size_t bytes_of_weight() const { return static_cast<std::size_t>(latent_.bits / 8); }

  Size size_;
  optimizers::LatentWeights latent_;
  float* mean_square_;
  float beta_;
};

class Adam final : public Learner {
 public:
  Adam(Size size, optimizers::State state, Betas betas)
      : size_(size), state_(state), betas_(betas) {}

  void binarize(Team team, float noise, Draw draw, std::uint8_t* out) const override {
    pack_latent(team, size_, state_.weights, Latent::real, sizeof(float), noise, draw, out);
  }

  void update(const InstructionSet& set, Gradient gradient, std::size_t first, std::size_t count,
              const Rate& rate, Draw) override {
    const std::size_t at = first * size_.padded();
    set.optimizers->adam({state_.weights + at, state_.m + at, state_.v + at}, gradient,
                         adam_step(betas_, rate, 1.0F), size_.padded(), 0, count);
  }

 private:
  Size size_;
  optimizers::State state_;
  Betas betas_;
};

class Bop final : public Learner {
 public:
  Bop(Size size, std::uint8_t* bits, float* m, optimizers::Bop bop)
      : size_(size), bits_(bits), m_(m), bop_(bop) {}

  void binarize(Team, float, Draw, std::uint8_t* out) const override {
    __builtin_memcpy(out, bits_, size_.rows * bytes_for(size_.columns));
  }

  void update(const InstructionSet& set, Gradient gradient, std::size_t first, std::size_t count,
              const Rate& rate, Draw) override {
    const optimizers::Bop bop{bop_.adaptivity * rate.learning_rate, bop_.threshold};
    set.optimizers->bop(bits_ + first * bytes_for(size_.columns), m_ + first * size_.padded(),
                        gradient, bop, size_.columns, size_.padded(), 0, count);
  }

 private:
  Size size_;
  std::uint8_t* bits_;
  float* m_;
  optimizers::Bop bop_;
};

}  // namespace

optimizers::Adam adam_step(Betas betas, const Rate& rate, float limit) {
  const auto single = [](double x) { return static_cast<float>(x); };
  return {single(betas.beta1), single(1 - betas.beta1), single(betas.beta2),
          single(1 - betas.beta2), betas.epsilon,       rate.step_size,
          rate.correction,     limit};
}

std::unique_ptr<Learner> make_rowprop(Size size, optimizers::LatentWeights latent,
                                      float* mean_square, float beta) {
  return std::make_unique<RowProp>(size, latent, mean_square, beta);
}

std::unique_ptr<Learner> make_adam(Size size, optimizers::State state, Betas betas) {
  return std::make_unique<Adam>(size, state, betas);
}

std::unique_ptr<Learner> make_bop(Size size, std::uint8_t* bits, float* m, optimizers::Bop bop) {
  return std::make_unique<Bop>(size, bits, m, bop);
}

}  // namespace kernels
