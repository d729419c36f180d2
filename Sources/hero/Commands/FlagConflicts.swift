import Training

/// Checks for flags that have an effect only with others, or without them.
enum FlagConflicts {
  /// Refuses flags that would have no effect.
  /// - Parameters:
  ///   - flags: each flag, as in `others`, with whether its value differs from the default.
  ///   - reason: a clause, as in "--resnet has no effect: …".
  /// - Throws: `UsageError` naming the flags that were given.
  static func refuse(
    _ flags: KeyValuePairs<String, Bool>, and others: KeyValuePairs<String, Bool> = [:], _ reason: String
  ) throws {
    let given = [flags, others].joined().filter(\.value).map(\.key)
    guard !given.isEmpty else { return }
    throw UsageError("\(given.joined(separator: ", ")) would have no effect: \(reason)")
  }
}

/// The check of `--batch-size`, for items of any kind.
enum BatchSize {
  /// The range of the runs' own options; products of larger counts would overflow.
  private static let sizes = 1...1_000_000_000

  /// Checks a batch size.
  ///
  /// - Throws: `UsageError` where it is given and out of range.
  static func require(_ size: Int?) throws {
    guard let size, !sizes.contains(size) else { return }
    throw UsageError(
      "--batch-size must be a whole number from \(sizes.lowerBound) to \(sizes.upperBound), not \(size)")
  }
}
