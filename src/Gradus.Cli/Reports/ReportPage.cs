// The frame of report.html: head, contents list, body, data and scripts in one file that needs nothing else. The content
// security policy allows only the two scripts written here and no request at all, so that not even a fault in the escaping
// would let the text of a sample act.
using System.Security.Cryptography;
using System.Text;
using Gradus.Cli.Console;

namespace Gradus.Cli.Reports;

internal sealed class ReportPage(string title)
{
    private readonly List<(string Id, string Text, int Level, int? Number)> contents = [];
    private readonly List<Chart> charts = [];

    /// <summary>The content of the main element.</summary>
    public HtmlWriter Main { get; } = new();

    /// <summary>The content of the header, below the name of the program.</summary>
    public HtmlWriter Header { get; } = new();

    /// <summary>Adds a line to the contents list.</summary>
    public void AddToContents(string id, string text, int level = 1, int? number = null) => contents.Add((id, text, level, number));

    /// <summary>Adds a chart's data; the element with its id is the caller's to write.</summary>
    public void AddChart(Chart chart) => charts.Add(chart);

    /// <summary>The whole document.</summary>
    public string Build()
    {
        string uPlot = Resource("uplot.uPlot.iife.min.js"), script = Resource("report.js");
        HtmlWriter html = new();
        html.Add($"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta name="color-scheme" content="light dark">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src '{Hash(uPlot)}' '{Hash(script)}'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'">
            <meta name="generator" content="gradus">
            <title>{title}</title>
            <link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E%3Cpath d='M2 21V16h6.7V10h6.6V4H22v17z' fill='%232f6fb5'/%3E%3C/svg%3E">
            <style>
            """);
        html.Trusted(Resource("uplot.uPlot.min.css"));
        html.Trusted(Resource("report.css"));
        html.Add($"""
            </style>
            </head>
            <body>
            <a class="skip" href="#main">Skip to the content</a>
            <header class="masthead"><div class="inner">
            <p class="brand"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M2 21V16h6.7V10h6.6V4H22v17z"/></svg>Gradus</p>
            """);
        html.Trusted(Header.ToString());
        html.Add($"""</div></header><div class="layout">""");
        WriteContents(html);
        html.Add($"""<main id="main" tabindex="-1"><noscript><p class="note">The charts need JavaScript; everything else is here without it.</p></noscript>""");
        html.Trusted(Main.ToString());
        html.Add($"""
            </main></div>
            <footer><p>Written by <strong>gradus</strong>. This file is complete in itself: it loads nothing and sends nothing. Charts: uPlot, MIT.</p></footer>
            """);
        html.Trusted($"<script type=\"application/json\" id=\"charts\">{Chart.Json(charts)}</script>\n<!-- uPlot:\n{Resource("uplot.LICENSE")}\n-->\n");
        html.Trusted($"<script>{uPlot}</script>\n<script>{script}</script>\n</body>\n</html>\n");
        return html.ToString();
    }

    private void WriteContents(HtmlWriter html)
    {
        string shape = contents.Exists(line => line.Number is not null) ? "contents" : "contents flat";
        html.Add($"""<nav class="{shape}" aria-label="Contents"><details open><summary>Contents</summary><ol>""");
        foreach ((string id, string text, int level, int? number) in contents)
        {
            html.Add($"""<li class="level{level}"><a href="#{id}"><span class="number" aria-hidden="true">{(number is { } n ? Figures.Count(n) : "")}</span>{text}</a></li>""");
        }
        html.Add($"</ol></details></nav>");
    }

    /// <summary>A file of this folder, with the line ends that an HTML parser gives the script it hashes.</summary>
    private static string Resource(string name) => EmbeddedText.Read($"Gradus.Cli.Reports.{name}");

    private static string Hash(string script) => "sha256-" + Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(script)));
}
