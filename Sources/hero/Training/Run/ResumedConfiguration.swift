import Engine
import Formats

extension RunConfiguration {
  /// The options that may change when a run resumes.
  ///
  /// They affect what is measured, shown and kept, not what is learnt.
  private static let free: Set<String> = [
    "output_dir", "checkpoint", "valid_steps", "save_steps", "keep", "val_batch_size", "val_query_txt_db",
    "test_query_txt_db", "val_split", "test_split", "val_db", "test_db", "val_ref", "tokenizer",
    "val_datasets",
  ]

  /// Returns the options that affect what is learnt and differ from another configuration of the
  /// run.
  func changes(since other: RunConfiguration) -> [(name: String, before: JSON, now: JSON)] {
    let precisions = [other, self].map { ($0.recordedPrecision ?? .fp32).rawValue }
    let precision: [(name: String, before: JSON, now: JSON)] =
      precisions[0] == precisions[1]
      ? [] : [("precision", .string(precisions[0]), .string(precisions[1]))]
    return precision
      + RunOptions.used(by: family).compactMap { option in
        guard option.group != .evaluation, option.group != .ignored, !Self.free.contains(option.name),
          let before = other.value(of: option), let now = value(of: option),
          before != now, before.double == nil || before.double != now.double
        else { return nil }
        return (option.name, before, now)
      }
  }

  /// Returns the first place at which two values differ, such as `train_datasets[0].ratio`.
  private static func difference(
    _ before: JSON?, _ now: JSON?, _ name: String
  ) -> (name: String, before: JSON?, now: JSON?) {
    if let before = before?.array, let now = now?.array, before.count == now.count,
      let place = before.indices.first(where: { before[$0] != now[$0] })
    {
      return difference(before[place], now[place], "\(name)[\(place)]")
    }
    if let old = before?.object, let new = now?.object,
      let key = (old.map(\.key) + new.map(\.key)).first(where: { old[$0] != new[$0] })
    {
      return difference(old[key], new[key], "\(name).\(key)")
    }
    return (name, before, now)
  }

  /// Refuses to resume a run with options that change what is learnt.
  /// - Throws: `DataError` that names the options.
  func requireUnchanged(since other: RunConfiguration, folder: RunFolder) throws {
    let changed = changes(since: other)
    guard !changed.isEmpty else { return }
    let list = changed.map { name, before, now in
      let place = Self.difference(before, now, name)
      return "\(place.name) was \(place.before?.shown ?? "left out"), now \(place.now?.shown ?? "left out")"
    }
    throw DataError(
      "the run was begun with other options: \(list.joined(separator: "; "))", file: folder.path,
      cure: "Give the run's own options, or --resume-changed to go on with these")
  }
}
