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

  func run() throws {
    let communicator = Processes.communicator
    let log = RunLog(rank: communicator.rank)
    InterruptHandler.install(launched: communicator.size > 1)
    let configuration = try options.load(log: log)
    if communicator.size == 1 { try InterruptHandler.check() }
    let run = TrainingRun(configuration, log: log, communicator: communicator)
    try profile.follow(device) { try run.run(options.beginning, backend: $0) }
  }
}
