// The Python module: arguments checked, the interpreter's lock released, work divided.
#include "common.hpp"

NB_MODULE(binary_kernels, m) {
  using namespace nanobind::literals;
  m.doc() = "Kernels over packed bits. Results do not depend on threads or instruction set.";
  arrays::find_numpy();
  m.def("instruction_set",
        [](const std::string& name) { return bindings::chosen(name).name; },
        "instruction_set"_a = "",
        "The name of the kernels that `instruction_set` (or BINARY_KERNELS, or auto) chooses.");
  bindings::bind_packing(m);
  bindings::bind_products(m);
  bindings::bind_layers(m);
  bindings::bind_optimizers(m);
  bindings::bind_network(m);
  bindings::bind_training(m);
}
