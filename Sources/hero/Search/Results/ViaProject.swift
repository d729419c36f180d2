import Formats
import Foundation

/// Moments as a project of the VGG Image Annotator, version 3.
///
/// The annotator plays the videos and shows each moment as a segment of their time line.
public enum ViaProject {
  /// Constants of `_via_file.js`: a video, chosen by hand or read from a path.
  private static let (video, byHand, byPath) = (JSON.int(4), JSON.int(1), JSON.int(3))
  /// Constants of `_via_attribute.js`.
  private static let (text, selection) = (JSON.int(1), JSON.int(4))
  /// The attributes of a segment.
  private static let (query, score) = ("1", "2")

  /// Returns the project of one search.
  ///
  /// - Parameters:
  ///   - moments: those of one video become segments of one file.
  ///   - created: seconds since 1970.
  public static func json(
    _ sentence: String, _ moments: [FoundMoment], created: Double = Date().timeIntervalSince1970
  ) -> JSON {
    var files: JSONObject = [:]
    var views: JSONObject = [:]
    var segments: JSONObject = [:]
    var known: [Int: String] = [:]
    for (place, moment) in moments.enumerated() {
      let id = known[moment.number] ?? "\(known.count + 1)"
      if known[moment.number] == nil {
        known[moment.number] = id
        files[id] = file(id, moment.video)
        views[id] = ["fid_list": [.string(id)]]
      }
      // The annotator counts time from the file's own beginning, as a browser does.
      let first = moment.video.file?.start ?? 0
      segments["\(id)_\(place + 1)"] = [
        "vid": .string(id), "flg": 0, "z": [.double(moment.start + first), .double(moment.end + first)],
        "xy": [], "av": [query: .string(query), score: .string(JSON.double(Double(moment.score)).encoded())],
      ]
    }
    return [
      "project": [
        "pid": "__VIA_PROJECT_ID__", "rev": "__VIA_PROJECT_REV_ID__",
        "rev_timestamp": "__VIA_PROJECT_REV_TIMESTAMP__", "pname": .string(sentence),
        "data_format_version": "3.1.1", "creator": "hero", "created": .int(Int(created * 1000)),
        "vid_list": .array(views.keys.map { .string($0) }),
      ],
      "config": [
        "file": ["loc_prefix": ["1": "", "2": "", "3": "", "4": ""]],
        "ui": [
          "file_content_align": "center", "file_metadata_editor_visible": true,
          "spatial_metadata_editor_visible": true, "spatial_region_label_attribute_id": "",
          "gtimeline_visible_row_count": "4",
        ],
      ],
      "attribute": [
        query: attribute("query", selection, "What was searched for", [query: .string(sentence)]),
        score: attribute("score", text, "How well the moment fits", [:]),
      ],
      "file": .object(files), "metadata": .object(segments), "view": .object(views),
    ]
  }

  private static func attribute(_ name: String, _ type: JSON, _ says: String, _ options: JSONObject) -> JSON {
    [
      "aname": .string(name), "anchor_id": "FILE1_Z2_XY0", "type": type, "desc": .string(says),
      "options": .object(options), "default_option_id": "",
    ]
  }

  /// Returns the entry of a video; the annotator asks the user for a video without a file.
  private static func file(_ id: String, _ indexed: IndexedVideo) -> JSON {
    let path = indexed.file?.path
    let address = path?.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed)
    return [
      "fid": .string(id), "fname": .string(path.map { ($0 as NSString).lastPathComponent } ?? indexed.name),
      "type": video, "loc": address == nil ? byHand : byPath,
      "src": .string(address.map { "file://\($0)" } ?? ""),
    ]
  }
}
