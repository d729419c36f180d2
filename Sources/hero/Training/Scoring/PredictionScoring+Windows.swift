import Corpus
import Formats
import Metrics

/// Scoring of windows in QVHighlights' form.
extension PredictionScoring {
  func windows(_ rows: [JSON], _ warn: (String) -> Void) throws -> Scores {
    try refuseMeteor()
    let answers = try rows.enumerated().map { place, row in
      try DataError.locating(file: predictions, place: "row \(place + 1)") {
        try WindowPredictions(json: row)
      }
    }
    var truths: [WindowTruth] = []
    var distinct = DistinctIDs()
    var known: [QueryID: (video: Name?, seconds: Double?)] = [:]
    // The reader of QVHighlights recognizes all four corpora of windows.
    let annotation = task?.annotation ?? .qvhighlights
    try annotation.forEachRow(of: references, split: split, onSkip: warn) { row in
      if let truth = try WindowTruth(json: .object(row)), distinct.isNew(truth.id) {
        truths.append(truth)
        known[truth.id] = (row["vid_name"]?.string.map { Name($0) }, row["duration"]?.double)
      }
    }
    distinct.tell(of: references, warn)
    guard !truths.isEmpty else {
      throw DataError("no row has \"relevant_windows\": the truth is hidden", file: references)
    }
    WindowTruth.outside(truths).map { warn("\(references): \($0)") }
    let metrics = try DataError.locating(file: predictions) { try WindowMetrics(answers, truth: truths) }
    tellOdd(answers, truths, known, warn)
    tell(metrics.unanswered, "queries have no prediction", warn)
    tell(metrics.reversed, "windows end before they begin", warn)
    if metrics.unordered > 0 {
      warn(
        "\(predictions): the windows of \(metrics.unordered) queries do not come by falling score. "
          + "Mean average precision sorts them, recall takes them as they come.")
    }
    return (metrics.figures, MetricsTable(metrics, title: split))
  }

  /// Warns of windows, truths and scores that do not fit their video.
  private func tellOdd(
    _ answers: [WindowPredictions], _ truths: [WindowTruth],
    _ known: [QueryID: (video: Name?, seconds: Double?)], _ warn: (String) -> Void
  ) {
    let strangers = answers.filter { answer in
      guard let video = answer.video, let other = known[answer.id]?.video else { return false }
      return Name(video) != other
    }
    if let first = strangers.first {
      warn(
        "\(predictions): \(strangers.count) queries, the first \(first.id), name another video than \(references) does; "
          + "their windows count all the same")
    }
    let late = truths.filter { truth in
      guard let seconds = known[truth.id]?.seconds else { return false }
      return truth.windows.contains { $0.start > seconds }
    }
    if let first = late.first {
      warn(
        "\(references): true windows of \(late.count) queries, the first \(first.id), begin after their video ends "
          + "(\"duration\"), as times in another unit do; they cannot be found")
    }
    let clips = Dictionary(
      truths.lazy.map { ($0.id, $0.saliency?.scores.first?.count) }, uniquingKeysWith: { first, _ in first })
    let uneven = answers.filter { answer in
      guard let scores = answer.saliency?.count, let clips = clips[answer.id] ?? nil else { return false }
      return abs(scores - clips) > 1
    }
    if let first = uneven.first {
      warn(
        "\(predictions): \(uneven.count) queries, the first \(first.id), have not one of \"pred_saliency_scores\" for "
          + "each clip of 2 s of their video; what is missing counts as 0")
    }
  }
}
