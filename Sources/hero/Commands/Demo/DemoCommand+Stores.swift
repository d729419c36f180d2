import Demo
import Formats
import Foundation

extension DemoCommand {
  /// Makes the stores that the commands read: text stores of all tasks, and the features.
  func makeStores() throws {
    let annotations = "\(output)/corpus/ann"
    try makeTextStore(
      "subtitles", "tv_subtitles",
      [
        "--vid2nframe", "\(annotations)/tv_vid2nframe.json", "--frame-length", "1.5", "--vid2dur-idx",
        "\(annotations)/vid2dur_idx.json",
      ])
    for task in Set(tasks.map(\.demo)).sorted(by: { $0.rawValue < $1.rawValue }) {
      for split in ["train", "val", "test"] {
        try makeTextStore(
          task.rawValue, "\(task.rawValue)_\(split)",
          task == .tvc ? ["--subtitles", "\(annotations)/tv_subtitles.jsonl"] : [])
      }
    }
    try hero([
      "convert-videodb", "--feature-dir", "\(output)/corpus/features", "--output", "\(output)/video_db",
      "--dataset", "tv", "--frame-length", "1.5",
    ])
  }

  /// Makes a store of the first queries about training videos.
  func makeFewLabels() throws {
    let all = try String(contentsOfFile: "\(output)/corpus/ann/tvr_train.jsonl", encoding: .utf8)
    let few = all.split(separator: "\n").prefix(DemoTraining.labels).joined(separator: "\n")
    try AtomicFile.write(few + "\n", to: "\(output)/corpus/ann/\(DemoTraining.fewLabels.training).jsonl")
    try makeTextStore("tvr", DemoTraining.fewLabels.training)
  }

  private func makeTextStore(_ task: String, _ name: String, _ options: [String] = []) throws {
    try hero(
      [
        "create-txtdb", "--task", task, "--annotation", "\(output)/corpus/ann/\(name).jsonl", "--output",
        "\(output)/txt_db/\(name).db", "--tokenizer", "\(output)/corpus/tokenizer",
      ] + options)
  }
}
