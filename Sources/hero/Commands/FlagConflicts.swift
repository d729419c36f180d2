import Training

/// Flags that mean something only with others, or without them.
enum FlagConflicts {
  /// Refuses flags that would change nothing.
  /// - Parameters:
  ///   - flags: as `others`, each with whether it was given another value than its default, which
  ///     asks for nothing.
  ///   - reason: a clause, as in "--resnet has no effect: …".
  /// - Throws: `UsageError` naming those that were given.
  static func refuse(
    _ flags: KeyValuePairs<String, Bool>, and others: KeyValuePairs<String, Bool> = [:], _ reason: String
  ) throws {
    let given = [flags, others].joined().filter(\.value).map(\.key)
    guard !given.isEmpty else { return }
    throw UsageError("\(given.joined(separator: ", ")) would have no effect: \(reason)")
  }
}

/// `--batch-size`, whatever the items are.
enum BatchSize {
  /// As options of runs that say the same; products of larger counts would not fit.
  private static let sizes = 1...1_000_000_000

  /// - Throws: `UsageError` where it is given and is no such number.
  static func require(_ size: Int?) throws {
    guard let size, !sizes.contains(size) else { return }
    throw UsageError(
      "--batch-size must be a whole number from \(sizes.lowerBound) to \(sizes.upperBound), not \(size)")
  }
}
