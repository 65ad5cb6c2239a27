using System.Globalization;
using System.Text.RegularExpressions;

namespace Gradus.Training.Data.Cleaning;

/// <summary>
/// Replaces e-mail addresses and public IPv4 addresses, as FineWeb does: replacements are taken in rotation, in the order in which addresses are found.
/// One for each stream of documents; not for several threads. Left out: IPv6, telephone numbers, names.
/// </summary>
/// <param name="emails">Whether e-mail addresses are replaced.</param>
/// <param name="addresses">Whether IPv4 addresses are replaced.</param>
/// <param name="publicOnly">Keep addresses that no public network has.</param>
public sealed partial class PersonalData(bool emails = true, bool addresses = true, bool publicOnly = true)
{
    private int _emails;
    private int _addresses;

    /// <summary>What stands for e-mail addresses.</summary>
    public IReadOnlyList<string> EmailReplacements { get; init; } = ["email@example.com", "firstname.lastname@example.org"];

    /// <summary>What stands for IPv4 addresses; they answered no ping when they were chosen.</summary>
    public IReadOnlyList<string> AddressReplacements { get; init; } =
        ["22.214.171.124", "126.96.36.199", "188.8.131.52", "184.108.40.206", "220.127.116.11", "18.104.22.168"];

    /// <summary>A text without addresses.</summary>
    /// <param name="text">The text.</param>
    public string Replace(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (emails && text.Contains('@', StringComparison.Ordinal))
            text = Email().Replace(text, _ => EmailReplacements[_emails++ % EmailReplacements.Count]);
        if (addresses)
        {
            text = Address().Replace(text, match => Parse(match.Value) is not { } parts || (publicOnly && !IsPublic(parts))
                ? match.Value
                : AddressReplacements[_addresses++ % AddressReplacements.Count]);
        }
        return text;
    }

    /// <summary>Whether an IPv4 address belongs to a public network (IANA's registry of special-purpose addresses); false for what is none.</summary>
    /// <param name="address">Four decimal numbers without leading zeros.</param>
    public static bool IsPublic(string address)
    {
        ArgumentNullException.ThrowIfNull(address);
        return Parse(address) is { } parts && IsPublic(parts);
    }

    private static bool IsPublic(int[] parts) => parts switch
    {
        [192, 0, 0, 9 or 10] => true,
        [0 or 10 or 127 or >= 240, ..] => false,
        [100, >= 64 and <= 127, ..] or [169, 254, ..] or [172, >= 16 and <= 31, ..] or [192, 168, ..] or [198, 18 or 19, ..] => false,
        [192, 0, 0 or 2, _] or [198, 51, 100, _] or [203, 0, 113, _] => false,
        _ => true,
    };

    // Numbers with leading zeros are no address: some programs read them as octal.
    private static int[]? Parse(string address)
    {
        string[] parts = address.Split('.');
        if (parts.Length != 4 || parts.Any(p => p.Length is 0 or > 3 || (p.Length > 1 && p[0] == '0') || !p.All(char.IsAsciiDigit)))
            return null;
        int[] numbers = [.. parts.Select(p => int.Parse(p, CultureInfo.InvariantCulture))];
        return numbers.All(n => n <= 255) ? numbers : null;
    }

    [GeneratedRegex(
        @"\b[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@(?:(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?|\[(?:(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)\.){3}(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)\])",
        RegexOptions.CultureInvariant)]
    private static partial Regex Email();

    [GeneratedRegex(@"(?:(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)\.){3}(?:25[0-5]|2[0-4][0-9]|[01]?[0-9][0-9]?)", RegexOptions.CultureInvariant)]
    private static partial Regex Address();
}
