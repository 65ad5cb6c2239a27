// The formats of JSON Schema that are regular languages, as patterns. Sources: RFC 3339 (dates), ISO 8601 (durations), RFC 5321 and 1123
// (mail, hosts), RFC 2673 and 4291 (addresses), RFC 3986 (URIs), RFC 4122 (UUIDs), RFC 6901 (JSON pointers).
// Left out, with an error: international names and addresses, URI templates and regular expressions.

using System.Collections.Concurrent;
using Gradus.Generation.Structure.Languages;

namespace Gradus.Generation.Structure.Json;

/// <summary>Finds the language of a format.</summary>
internal sealed class StringFormats(CharacterCoding coding, bool asserts)
{
    private const string Date =
        @"(?:\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\d|30)|02-(?:0[1-9]|1\d|2[0-8]))|(?:\d\d(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)";

    private const string Clock = @"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?";
    private const string Zone = @"(?:[zZ]|[+-](?:[01]\d|2[0-3]):[0-5]\d)";
    // A leap second is 23:59:60 in UTC: in a zone behind it by hh:mm, 23−hh:59−mm; in one ahead, hh:mm−1, or 23+hh:59 at a whole hour.
    private static readonly string LeapSecond =
        @"(?:23:59:60(?:\.\d+)?[zZ]|(?=" + Hours('-', h => 23 - h) + ")(?:" + Minutes('-', 0, m => 59 - m) + ")|(?=" + Hours('+', h => h) + ")(?:" + Minutes('+', 1, m => m - 1)
        + ")|(?:" + string.Join('|', Enumerable.Range(0, 24).Select(h => $@"{(h + 23) % 24:00}:59:60(?:\.\d+)?\+{h:00}:00")) + "))";

    private const string Octet = @"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)";
    private const string Ipv4 = Octet + @"\." + Octet + @"\." + Octet + @"\." + Octet;
    private const string H16 = "[0-9A-Fa-f]{1,4}";
    private const string Ls32 = "(?:" + H16 + ":" + H16 + "|" + Ipv4 + ")";

    private const string Ipv6 =
        "(?:(?:" + H16 + ":){6}" + Ls32 + "|::(?:" + H16 + ":){5}" + Ls32 + "|(?:" + H16 + ")?::(?:" + H16 + ":){4}" + Ls32
        + "|(?:(?:" + H16 + ":){0,1}" + H16 + ")?::(?:" + H16 + ":){3}" + Ls32 + "|(?:(?:" + H16 + ":){0,2}" + H16 + ")?::(?:" + H16 + ":){2}" + Ls32
        + "|(?:(?:" + H16 + ":){0,3}" + H16 + ")?::" + H16 + ":" + Ls32 + "|(?:(?:" + H16 + ":){0,4}" + H16 + ")?::" + Ls32
        + "|(?:(?:" + H16 + ":){0,5}" + H16 + ")?::" + H16 + "|(?:(?:" + H16 + ":){0,6}" + H16 + ")?::)";

    // Not the encoded international labels (xn--…), whose rules are not regular.
    private const string Label = "(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,2}[A-Za-z0-9])?|[A-Za-z0-9][A-Za-z0-9-](?:[A-Za-z0-9][A-Za-z0-9-]|-[A-Za-z0-9])[A-Za-z0-9-]{0,58}[A-Za-z0-9])";
    private const string Host = "(?=.{1,253}$)" + Label + @"(?:\." + Label + ")*";
    private const string Atom = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+";
    private const string Quoted = "\"(?:[\\x20\\x21\\x23-\\x5B\\x5D-\\x7E]|\\\\[\\x20-\\x7E])*\"";
    private const string Mail = "(?:" + Atom + @"(?:\." + Atom + ")*|" + Quoted + ")@(?:" + Label + @"(?:\." + Label + @")*|\[(?:" + Ipv4 + "|IPv6:" + Ipv6 + @")\])";

    private const string Percent = "%[0-9A-Fa-f]{2}";
    private const string Plain = @"[A-Za-z0-9._~!$&'()*+,;=-]";
    private const string PathChar = "(?:" + Plain + "|[:@]|" + Percent + ")";
    private const string Authority = "(?:(?:" + Plain + "|:|" + Percent + @")*@)?(?:\[(?:" + Ipv6 + @"|[vV][0-9A-Fa-f]+\.(?:" + Plain + @"|:)+)\]|(?:" + Plain + "|" + Percent + @")*)(?::\d*)?";
    private const string Tail = @"(?:\?(?:" + PathChar + @"|[/?])*)?(?:#(?:" + PathChar + "|[/?])*)?";
    private const string Segments = "(?:/" + PathChar + "*)*";
    private const string Hierarchy = "(?://" + Authority + Segments + "|/(?:" + PathChar + "+" + Segments + ")?|" + PathChar + "+" + Segments + "|)";
    private const string Uri = "[A-Za-z][A-Za-z0-9+.-]*:" + Hierarchy + Tail;
    private const string NoColon = "(?:" + Plain + "|@|" + Percent + ")";
    private const string Reference = "(?:" + Uri + "|(?://" + Authority + Segments + "|/(?:" + PathChar + "+" + Segments + ")?|" + NoColon + "+" + Segments + "|)" + Tail + ")";
    private const string Pointer = @"(?:/(?:[^~/]|~[01])*)*";

    private static readonly Dictionary<string, string> Patterns = new(StringComparer.Ordinal)
    {
        ["date"] = Date,
        ["time"] = "(?:" + Clock + Zone + "|" + LeapSecond + ")",
        ["date-time"] = Date + "[tT](?:" + Clock + Zone + "|" + LeapSecond + ")",
        ["duration"] = @"P(?:\d+W|(?:\d+Y(?:\d+M(?:\d+D)?)?|\d+M(?:\d+D)?|\d+D)(?:T(?:\d+H(?:\d+M(?:\d+S)?)?|\d+M(?:\d+S)?|\d+S))?|T(?:\d+H(?:\d+M(?:\d+S)?)?|\d+M(?:\d+S)?|\d+S))",
        ["email"] = Mail,
        ["hostname"] = Host,
        ["ipv4"] = Ipv4,
        ["ipv6"] = Ipv6,
        ["uri"] = Uri,
        ["uri-reference"] = Reference,
        ["uuid"] = "[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}",
        ["json-pointer"] = Pointer,
        ["relative-json-pointer"] = "(?:0|[1-9][0-9]*)(?:#|" + Pointer + ")",
    };

    private static readonly HashSet<string> NotRegular = ["idn-email", "idn-hostname", "iri", "iri-reference", "uri-template", "regex"];
    private static readonly ConcurrentDictionary<string, Pattern> Parsed = new(StringComparer.Ordinal);

    /// <summary>The texts of a format; null where it says nothing.</summary>
    /// <exception cref="StructureException">The format is known but cannot be enforced.</exception>
    public int? Find(string format, string place)
    {
        if (!asserts)
            return null;
        if (NotRegular.Contains(format))
            throw new StructureException($"{place}: the format {format} cannot be enforced; take it out, or write a pattern.");
        // What a format of another name means is not for a schema to say: it is a remark.
        return Patterns.TryGetValue(format, out string? pattern)
            ? Parsed.GetOrAdd(format, static (name, p) => PatternParser.Parse(p, name), pattern).ToLanguage(coding, whole: true, place)
            : null;
    }

    private static string Hours(char sign, Func<int, int> local) =>
        string.Join('|', Enumerable.Range(0, 24).Select(h => $@"{local(h):00}:\d\d:60(?:\.\d+)?\{sign}{h:00}:\d\d$"));

    private static string Minutes(char sign, int from, Func<int, int> local) =>
        string.Join('|', Enumerable.Range(from, 60 - from).Select(m => $@"\d\d:{local(m):00}:60(?:\.\d+)?\{sign}\d\d:{m:00}"));
}
