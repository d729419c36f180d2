import Foundation

/// A file of the page, embedded in the program so that the program needs no files beside it.
struct PageFile: Sendable {
  var type: String
  var content: Data

  /// Returns the file of a path; nil if the page has none.
  static func named(_ path: String) -> PageFile? {
    switch path {
    case "/", "/index.html":
      PageFile(type: "text/html; charset=utf-8", content: Data(PackageResources.index_html))
    case "/style.css": PageFile(type: "text/css; charset=utf-8", content: Data(PackageResources.style_css))
    case "/app.js": PageFile(type: "text/javascript; charset=utf-8", content: Data(PackageResources.app_js))
    case "/timeline.js":
      PageFile(type: "text/javascript; charset=utf-8", content: Data(PackageResources.timeline_js))
    case "/player.js":
      PageFile(type: "text/javascript; charset=utf-8", content: Data(PackageResources.player_js))
    case "/cards.js":
      PageFile(type: "text/javascript; charset=utf-8", content: Data(PackageResources.cards_js))
    case "/evaluation.js":
      PageFile(type: "text/javascript; charset=utf-8", content: Data(PackageResources.evaluation_js))
    case "/common.js":
      PageFile(type: "text/javascript; charset=utf-8", content: Data(PackageResources.common_js))
    case "/icon.svg": PageFile(type: "image/svg+xml", content: Data(PackageResources.icon_svg))
    default: nil
    }
  }
}
