import Tasks

extension SkipReport {
  /// The number of items that are named; the others are only counted, so as not to flood the log.
  private static let named = 5

  /// Logs which items are skipped: the first ones by name, the others by their number.
  public convenience init(log: RunLog) {
    self.init { error, count in
      if count <= Self.named { log.warningOfOwn("left out: \(error)") }
      if count > Self.named, count & (count - 1) == 0 { log.warningOfOwn("\(count) items left out so far") }
    }
  }
}
