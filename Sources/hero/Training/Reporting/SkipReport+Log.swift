import Tasks

extension SkipReport {
  /// Items named before the others are only counted, so that they do not flood the log.
  private static let named = 5

  /// Says in the log which items are left out: the first by name, the others by their number.
  public convenience init(log: RunLog) {
    self.init { error, count in
      if count <= Self.named { log.warningOfOwn("left out: \(error)") }
      if count > Self.named, count & (count - 1) == 0 { log.warningOfOwn("\(count) items left out so far") }
    }
  }
}
