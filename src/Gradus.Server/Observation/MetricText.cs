using System.Globalization;
using System.Text;

namespace Gradus.Server.Observation;

/// <summary>
/// Measurements in Prometheus' text format, version 0.0.4. Written here because the libraries at hand refuse names with a colon, which vLLM's have.
/// </summary>
internal sealed class MetricText
{
    private readonly StringBuilder _text = new();
    private readonly HashSet<string> _begun = new(StringComparer.Ordinal);

    /// <summary>A number as Prometheus reads it.</summary>
    public static string Number(double value) => value.ToString("R", CultureInfo.InvariantCulture);

    /// <summary>Says what a family of measurements is, once.</summary>
    public void Begin(string name, string type, string help)
    {
        if (_begun.Add(name))
            _text.Append(CultureInfo.InvariantCulture, $"# HELP {name} {help}\n# TYPE {name} {type}\n");
    }

    /// <summary>Adds a value.</summary>
    public void Line(string name, double value, params ReadOnlySpan<(string Name, string Value)> labels)
    {
        _text.Append(name).Append('{');
        for (int i = 0; i < labels.Length; i++)
            _text.Append(i == 0 ? "" : ",").Append(labels[i].Name).Append("=\"").Append(Escaped(labels[i].Value)).Append('"');
        _text.Append("} ").Append(Number(value)).Append('\n');
    }

    public override string ToString() => _text.ToString();

    private static string Escaped(string value) => value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
}
