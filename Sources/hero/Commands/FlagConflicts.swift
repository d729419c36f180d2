import Training

/// Flags that mean something only with others, or without them.
enum FlagConflicts {
  /// Refuses flags that would change nothing.
  /// - Parameters:
  ///   - flags: each with whether it was given another value than its default, which asks for nothing.
  ///   - reason: a clause, as in "--resnet has no effect: …".
  /// - Throws: `UsageError` naming those that were given.
  static func refuse(_ flags: KeyValuePairs<String, Bool>, _ reason: String) throws {
    let given = flags.filter(\.value).map(\.key)
    guard !given.isEmpty else { return }
    throw UsageError("\(given.joined(separator: ", ")) would have no effect: \(reason)")
  }
}
