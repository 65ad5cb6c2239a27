// The data of the page's charts, as the JSON that report.js reads. Each series keeps its own steps; the script joins them.
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Gradus.Cli.Reports;

/// <summary>How a series is drawn; report.js has the strokes.</summary>
internal enum SeriesRole
{
    /// <summary>Faint: the single values behind a <see cref="Trend"/>.</summary>
    Raw,

    /// <summary>A strong line.</summary>
    Trend,

    /// <summary>A strong line with a dot at each value.</summary>
    Validation,
}

/// <summary>One line of a chart.</summary>
internal sealed record ChartSeries(string Label, SeriesRole Role, Curve Curve);

/// <summary>One chart: drawn into the element of the same id; charts of a group share their cursor.</summary>
/// <param name="Id">Id of the element.</param>
/// <param name="Group">The charts that move together.</param>
/// <param name="AxisLabel">What the vertical axis measures, with its unit.</param>
/// <param name="Format">How values are written: "number", "rate" (as 3e-4) or "count" (as 12k).</param>
/// <param name="Tall">The main chart of its group.</param>
/// <param name="Series">At least one.</param>
internal sealed record Chart(string Id, string Group, string AxisLabel, string Format, bool Tall, IReadOnlyList<ChartSeries> Series)
{
    /// <summary>The chart starts with a logarithmic axis: all values are positive and the greatest is over 50 times the median.</summary>
    public bool StartsLogarithmic => CanBeLogarithmic && Format == "number"
        && Series.Max(series => series.Curve.Values.Where(double.IsFinite).Max()) > 50 * Series[0].Curve.Median();

    private bool CanBeLogarithmic =>
        Series.All(series => series.Curve.Finite > 0 && series.Curve.Values.All(value => !double.IsFinite(value) || value > 0));

    /// <summary>
    /// All charts as one JSON array. The default encoder writes &lt;, &gt; and &amp; as escapes, so the text cannot end the
    /// script element that holds it.
    /// </summary>
    public static string Json(IEnumerable<Chart> charts)
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream))
        {
            json.WriteStartArray();
            foreach (Chart chart in charts)
                chart.Write(json);
            json.WriteEndArray();
        }
        return Encoding.UTF8.GetString(stream.ToArray());
    }

    private void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("id", Id);
        json.WriteString("group", Group);
        json.WriteString("axis", AxisLabel);
        json.WriteString("format", Format);
        json.WriteBoolean("tall", Tall);
        json.WriteBoolean("canLog", CanBeLogarithmic);
        json.WriteBoolean("log", StartsLogarithmic);
        json.WriteStartArray("series");
        foreach (ChartSeries series in Series)
        {
            Curve drawn = series.Curve.Thinned();
            json.WriteStartObject();
            json.WriteString("label", series.Label);
            json.WriteString("role", series.Role switch
            {
                SeriesRole.Raw => "raw",
                SeriesRole.Validation => "validation",
                _ => "trend",
            });
            json.WriteStartArray("x");
            foreach (long step in drawn.Steps)
                json.WriteNumberValue(step);
            json.WriteEndArray();
            json.WriteStartArray("y");
            foreach (double value in drawn.Values)
                WriteValue(json, value);
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    /// <summary>Six digits are more than a screen shows, and half the size of all of them.</summary>
    private static void WriteValue(Utf8JsonWriter json, double value)
    {
        if (double.IsFinite(value))
            json.WriteRawValue(value.ToString("G6", CultureInfo.InvariantCulture));
        else
            json.WriteNullValue();
    }
}
