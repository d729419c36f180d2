import ArgumentParser
import Training

/// `hero finetune`: trains a model for a task.
struct Finetune: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Train a model for a task.",
    discussion: """
      Writes the reference's folder: log/hps.json, log/model_config.json, log/log.txt, TensorBoard events in log/, \
      ckpt/model_step_N.safetensors, results/. Ctrl-C saves the state; --resume goes on from it, to the last bit.

        hero finetune --config Configs/finetune-tvr-small.json --output-dir runs/tvr

      \(ConfigArguments.discussion(for: Set(RunTask.finetuning.map(\.family))))
      """)

  @OptionGroup var options: ConfigArguments
  @OptionGroup var device: DeviceArguments
  @OptionGroup var profile: ProfileArguments

  func run() throws { try options.train { try profile.follow(device, $0) } }
}
