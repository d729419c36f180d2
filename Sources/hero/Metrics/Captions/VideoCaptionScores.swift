import Formats

/// YouCook2's scores of videos whose clips are captioned one by one, as in VALUE's `Yc2cEval`.
///
/// A clip's `vid_name` is `VIDEO_NUMBER`. *Macro* is the mean of the videos' own scores.
/// *Paragraph* is the score of each video's captions joined in the order of the numbers. Of several
/// references the first counts.
public struct VideoCaptionScores: Sendable {
  /// `macro/Bleu_1` … `paragraph/CIDEr`, in percent.
  public let figures: [(name: String, value: Double)]

  /// - Returns: nil if a clip's name does not end in a number, and so names no video.
  /// - Throws: `DataError` as `CaptionScorer`.
  public init?(_ predictions: [CaptionRow], references: [CaptionRow], meteor: MeteorResources?) throws {
    let given = Dictionary(predictions.map { ($0.clip, $0.captions.first) }) { _, last in last }
    var (clips, names): ([ScoredClip], [(video: Name, number: Int)]) = ([], [])
    for row in references {
      guard let reference = row.captions.first else { continue }
      guard let name = Self.name(row.video) else { return nil }
      names.append(name)
      clips.append(
        ScoredClip(
          id: row.clip, prediction: CaptionScorer.ascii((given[row.clip] ?? nil) ?? ""),
          references: [CaptionScorer.ascii(reference)]))
    }
    guard !clips.isEmpty else { return nil }
    let captions = TokenizedCaptions(clips)
    var places: [Name: Int] = [:]
    var videos: [[Int]] = []
    for (clip, name) in names.enumerated() {
      let place = places[name.video] ?? videos.count
      if place == videos.count {
        places[name.video] = place
        videos.append([])
      }
      videos[place].append(clip)
    }
    var scorer = try MeteorScorer(resources: meteor, captions: captions.all)
    let own = try videos.map {
      try CaptionScorer(captions.picked($0), &scorer, hasMeteorData: meteor != nil).corpus.map(\.value)
    }
    let macro = CaptionScorer.metricNames.indices.map { metric in
      own.reduce(0) { $0 + $1[metric] } / Double(own.count)
    }
    var paragraphs = TokenizedCaptions()
    for clips in videos {
      let ordered = clips.sorted { (names[$0].number, $0) < (names[$1].number, $1) }
      paragraphs.ids.append(captions.ids[ordered[0]])
      paragraphs.predictions.append(ordered.map { captions.predictions[$0] }.joined(separator: " "))
      paragraphs.references.append([ordered.map { captions.references[$0][0] }.joined(separator: " ")])
    }
    var paragraphScorer = try MeteorScorer(resources: meteor, captions: paragraphs.all)
    let whole = try CaptionScorer(paragraphs, &paragraphScorer, hasMeteorData: meteor != nil).corpus
    figures =
      zip(CaptionScorer.metricNames, macro).map { ("macro/\($0)", $1) }
      + whole.map { ("paragraph/\($0.name)", $0.value) }
  }

  private static func name(_ clip: String) -> (video: Name, number: Int)? {
    guard let mark = clip.lastIndex(of: "_"), let number = Int(clip[clip.index(after: mark)...]) else {
      return nil
    }
    return (Name(String(clip[..<mark])), number)
  }
}
