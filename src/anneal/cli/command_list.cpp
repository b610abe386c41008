// The table of all commands: a new one is a file command_NAME.cpp, a declaration and a line here.

#include "anneal/cli/command.hpp"

namespace anneal {

Command bench_fusion_command();
Command bench_generate_command();
Command bench_kernels_command();
Command bench_optim_command();
Command bench_step_command();
Command data_inspect_command();
Command data_prepare_command();
Command docs_config_command();
Command eval_command();
Command generate_command();
Command model_export_command();
Command model_import_command();
Command model_inspect_command();
Command plan_command();
Command profile_command();
Command report_command();
Command repro_fusion_command();
Command repro_mixed_precision_command();
Command repro_optimizers_command();
Command tokenizer_decode_command();
Command tokenizer_encode_command();
Command tokenizer_train_command();
Command train_command();

std::vector<CommandGroup> all_command_groups() {
  return {
      {"bench", "Measure training, generation and kernels on this machine"},
      {"data", "Turn text into token shards, and look into batches"},
      {"docs", "Print documentation that is made from the source"},
      {"model", "Convert models, and look into their files"},
      {"repro", "Run whole experiments, each with its report"},
      {"tokenizer", "Train byte-level BPE tokenizers, and apply them"},
  };
}

std::vector<Command> all_commands() {
  return {
      train_command(),
      plan_command(),
      generate_command(),
      eval_command(),
      tokenizer_train_command(),
      tokenizer_encode_command(),
      tokenizer_decode_command(),
      data_prepare_command(),
      data_inspect_command(),
      model_import_command(),
      model_export_command(),
      model_inspect_command(),
      profile_command(),
      report_command(),
      repro_mixed_precision_command(),
      repro_optimizers_command(),
      repro_fusion_command(),
      bench_step_command(),
      bench_kernels_command(),
      bench_generate_command(),
      bench_fusion_command(),
      bench_optim_command(),
      docs_config_command(),
  };
}

}  // namespace anneal
