// Numbers as people read them: enough digits to compare, a unit, never a culture of the machine.
using System.Globalization;

namespace Gradus.Cli.Reports;

internal static class Figures
{
    private static readonly CultureInfo Culture = CultureInfo.InvariantCulture;

    /// <summary>"1,234,567".</summary>
    public static string Count(long value) => value.ToString("N0", Culture);

    /// <summary>"1 line", "2 lines".</summary>
    public static string Plural(long count, string noun) => $"{Count(count)} {noun}{(count == 1 ? "" : "s")}";

    /// <summary>A value with the decimals that suit numbers of its size: 0.613, 2.481, 48.30, 1,234.</summary>
    public static string Number(double value) => Number(value, value);

    /// <summary>A value with the decimals that suit <paramref name="scale"/>, so that a row of values lines up.</summary>
    public static string Number(double value, double scale)
    {
        if (!double.IsFinite(value))
            return double.IsNaN(value) ? "not a number" : value > 0 ? "infinite" : "−infinite";
        double size = Math.Abs(scale);
        string text = size switch
        {
            0 => value.ToString("0.###", Culture),
            < 0.001 or >= 1e9 => value.ToString("0.00e0", Culture),
            < 10 => value.ToString("F3", Culture),
            < 100 => value.ToString("F2", Culture),
            < 1000 => value.ToString("F1", Culture),
            _ => value.ToString("N0", Culture),
        };
        return text.Replace('-', '−');
    }

    /// <summary>A difference with its sign.</summary>
    public static string Difference(double value, double scale) => value > 0 ? "+" + Number(value, scale) : Number(value, scale);

    /// <summary>"45 ms", "8.4 s", "2 min 05 s", "42 min", "1 h 02 min".</summary>
    public static string Duration(double seconds)
    {
        if (!double.IsFinite(seconds) || seconds < 0 || seconds > 1e9)
            return "unknown time";
        long whole = (long)Math.Round(seconds);
        return seconds switch
        {
            < 0.9995 => $"{seconds * 1000:0} ms",
            < 9.95 => string.Create(Culture, $"{seconds:0.0} s"),
            _ when whole < 60 => $"{whole} s",
            _ when whole < 600 => $"{whole / 60} min {whole % 60:00} s",
            _ when whole < 3570 => $"{(whole + 30) / 60} min",
            _ => $"{(whole + 30) / 3600} h {(whole + 30) % 3600 / 60:00} min",
        };
    }

    /// <summary>"1,234" up to 100,000, then "1.23 M", "4.50 G".</summary>
    public static string Large(double value) => Math.Abs(value) switch
    {
        < 1e5 => Math.Round(value).ToString("N0", Culture),
        < 1e6 => (value / 1e3).ToString("0", Culture) + " k",
        < 1e9 => (value / 1e6).ToString("0.00", Culture) + " M",
        _ => (value / 1e9).ToString("0.00", Culture) + " G",
    };

    /// <summary>The text up to <paramref name="length"/> characters, and how many are left out.</summary>
    public static (string Text, int LeftOut) Shorten(string text, int length)
    {
        if (text.Length <= length)
            return (text, 0);
        int end = char.IsHighSurrogate(text[length - 1]) ? length - 1 : length;
        return (text[..end], text.Length - end);
    }
}
