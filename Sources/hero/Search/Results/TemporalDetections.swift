import Formats

/// Moments as labels that FiftyOne imports: `FiftyOneTemporalDetectionDataset`.
///
/// Videos are named by their files, so that the labels alone make a data set. A video without a
/// file keeps its name, which FiftyOne looks for in its `data_path`.
public enum TemporalDetections {
  /// Returns the export of one search: `labels.json` of a `FiftyOneTemporalDetectionDataset`.
  public static func json(_ query: String, _ moments: [FoundMoment]) -> JSON {
    var labels: JSONObject = [:]
    for moment in moments {
      let video = moment.video.file?.path ?? moment.video.name
      let detection: JSON = [
        "label": .string(query), "timestamps": [.double(moment.start), .double(moment.end)],
        "confidence": .double(Double(moment.score)), "attributes": ["subtitle": .string(moment.subtitle)],
      ]
      labels[video] = .array((labels[video]?.array ?? []) + [detection])
    }
    return ["classes": [.string(query)], "labels": .object(labels)]
  }
}
