import Formats
import Foundation
import Synchronization

extension DemoCorpus {
  /// Writes the corpus as the folder `path`:
  ///
  ///     ann/{tvr,how2r,didemo,msrvtt,tvqa,how2qa,violin,tvc}_{train,val,test}.jsonl
  ///     ann/{yc2r,vatex_en_r,vlep,yc2c,vatex_en_c}_{train,val,test}.jsonl
  ///     ann/{tv_subtitles.jsonl,tv_vid2nframe.json,vid2dur_idx.json}
  ///     features/{resnet_features,slowfast_features}/tv/<video>.npz     entry "features", float16
  ///     tokenizer/{vocab.json,merges.txt}
  ///     pretrain_splits/{tv_train,tv_val}.json
  ///
  /// Throws a `DataError` if `path` exists and is not an empty folder, or if the disk refuses. The
  /// folder appears only when it is complete.
  public func write(to path: String) throws {
    let output = try OutputFolder(path: path)
    try writeAnnotations(to: output)
    try writeFeatures(to: output)
    try tokenizer().write(to: output.folder("tokenizer"))
    // The seed makes these thousands of small files again, so do not wait for the disk.
    try output.commit(synchronizing: false)
  }

  private func writeAnnotations(to output: OutputFolder) throws {
    let annotations = try output.folder("ann")
    for task in DemoTask.allCases {
      for split in DemoSplit.allCases {
        try writeLines(rows(task, split), to: "\(annotations)/\(task.rawValue)_\(split.rawValue).jsonl")
      }
    }
    try writeLines(subtitleRows(), to: "\(annotations)/tv_subtitles.jsonl")
    try writeJSON(frameCounts(), to: "\(annotations)/tv_vid2nframe.json")
    try writeJSON(durations(), to: "\(annotations)/vid2dur_idx.json")
    let splits = try output.folder("pretrain_splits")
    try writeJSON(pretrainSplit(training: true), to: "\(splits)/tv_train.json")
    try writeJSON(pretrainSplit(training: false), to: "\(splits)/tv_val.json")
  }

  private func writeFeatures(to output: OutputFolder) throws {
    let appearance = try output.folder("features/resnet_features/tv")
    let motion = try output.folder("features/slowfast_features/tv")
    let features = PictureFeatures(options: options)
    let failure = Mutex<(any Error)?>(nil)
    DispatchQueue.concurrentPerform(iterations: scenarios.count) { number in
      guard failure.withLock({ $0 == nil }) else { return }
      do {
        let (name, rows) = (scenarios[number].name, features.features(of: scenarios[number]))
        try writeArray(rows.appearance, to: "\(appearance)/\(name).npz")
        try writeArray(rows.motion, to: "\(motion)/\(name).npz")
      } catch {
        failure.withLock { $0 = error }
      }
    }
    if let error = failure.withLock({ $0 }) { throw error }
  }

  /// Writes an array as float16.
  private func writeArray(_ array: NDArray, to path: String) throws {
    let bytes = try NPZ.encode(
      [(name: "features", array: array.asFloat16())], compress: false)
    do {
      try Data(bytes).write(to: URL(fileURLWithPath: path))
    } catch {
      throw DataError("cannot write: \(error.localizedDescription)", file: path)
    }
  }

  private func writeLines(_ rows: [JSON], to path: String) throws {
    let file = try AtomicFile(path: path)
    for row in rows { try file.write(row.encoded(style: .python) + "\n") }
    try file.commit()
  }

  private func writeJSON(_ value: JSON, to path: String) throws {
    try AtomicFile.write(value.encoded(style: .python), to: path)
  }
}
