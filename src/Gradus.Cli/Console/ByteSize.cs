using System.Globalization;
using System.Text.RegularExpressions;

namespace Gradus.Cli.Console;

/// <summary>Sizes as people write them: <c>500MB</c> (10⁶ bytes), <c>2GiB</c> (2³⁰), <c>4G</c> (10⁹), or a plain number of bytes.</summary>
internal static partial class ByteSize
{
    /// <summary>The number of bytes of a size.</summary>
    /// <param name="text">The size.</param>
    /// <param name="option">The option that has it, for the message.</param>
    /// <exception cref="UsageException">It is no size, or less than a byte.</exception>
    public static long Parse(string text, string option)
    {
        Match match = Form().Match(text);
        if (match.Success && decimal.TryParse(match.Groups["number"].ValueSpan, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number))
        {
            int power = match.Groups["unit"].Value.ToUpperInvariant() is { Length: > 0 } unit ? "KMGT".IndexOf(unit[0], StringComparison.Ordinal) + 1 : 0;
            double bytes = (double)number * Math.Pow(match.Groups["binary"].Success ? 1024 : 1000, power);
            if (bytes is >= 1 and < long.MaxValue)
                return (long)bytes;
        }
        throw new UsageException($"{option} {text}: is not a size; give a number with B, KB, MB, GB, KiB, MiB or GiB, such as 4GB.");
    }

    [GeneratedRegex("^(?<number>[0-9]{1,18}(\\.[0-9]{1,9})?) ?((?<unit>[KMGT])(?<binary>i)?)?B?$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Form();
}
