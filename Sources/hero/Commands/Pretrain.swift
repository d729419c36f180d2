import ArgumentParser
import Training

/// `hero pretrain`: trains on masked words, masked frames, frame order and subtitle matching.
struct Pretrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Pre-train a model on videos with subtitles.",
    discussion: """
      Mixes the objectives mlm, mfm-nce, mffr, fom and vsm by their ratios over the corpora in "targets". Starts from \
      random weights, or from what fits of a checkpoint: a RoBERTa of Hugging Face (--skip-layer-loading takes every \
      second of its layers) or any HERO. Ids of videos may be millions.

        hero pretrain --config Configs/pretrain-tv.json --output-dir runs/pretrain

      \(ConfigArguments.discussion(for: [.pretraining]))
      """)

  @OptionGroup var options: ConfigArguments
  @OptionGroup var device: DeviceArguments

  func run() throws { try options.train(task: .pretrain) { try $0(device.open()) } }
}
