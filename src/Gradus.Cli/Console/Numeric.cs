using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using System.Numerics;

namespace Gradus.Cli.Console;

/// <summary>Options whose value is a number in a range; a wrong one is refused with the range.</summary>
internal static class Numeric
{
    /// <summary>An option for a number.</summary>
    /// <param name="name">Its name, with the dashes.</param>
    /// <param name="description">What it does, with its unit.</param>
    /// <param name="least">The least value allowed.</param>
    /// <param name="most">The greatest value allowed.</param>
    /// <param name="standard">The value where the option is not given.</param>
    public static Option<T> Option<T>(string name, string description, T least, T most, T standard)
        where T : struct, INumber<T> => new(name)
        {
            Description = description,
            HelpName = "N",
            DefaultValueFactory = _ => standard,
            CustomParser = result => Parse(result, name, least, most) ?? standard,
        };

    /// <summary>An option for a number that may be left out: null.</summary>
    /// <param name="name">Its name, with the dashes.</param>
    /// <param name="description">What it does, with its unit, and what happens without it.</param>
    /// <param name="least">The least value allowed.</param>
    /// <param name="most">The greatest value allowed.</param>
    public static Option<T?> Optional<T>(string name, string description, T least, T most)
        where T : struct, INumber<T> => new(name)
        {
            Description = description,
            HelpName = "N",
            CustomParser = result => Parse(result, name, least, most),
        };

    private static T? Parse<T>(ArgumentResult result, string name, T least, T most)
        where T : struct, INumber<T>
    {
        string text = result.Tokens.Count > 0 ? result.Tokens[0].Value : "";
        if (T.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out T value) && value >= least && value <= most)
            return value;
        string kind = T.IsZero(T.CreateTruncating(0.5)) ? "a whole number" : "a number";
        result.AddError($"{name} is {kind} from {least} to {most}, not \"{text}\".");
        return null;
    }
}
