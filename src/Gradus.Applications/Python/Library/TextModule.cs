namespace Gradus.Applications.Python;

/// <summary>string.</summary>
internal static class TextModule
{
    public static void Fill(Interpreter it, ModuleObject m)
    {
        const string Lower = "abcdefghijklmnopqrstuvwxyz", Digits = "0123456789", Marks = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~", Space = " \t\n\r\v\f";
        foreach ((string name, string text) in new[]
        {
            ("ascii_lowercase", Lower), ("ascii_uppercase", Lower.ToUpperInvariant()), ("ascii_letters", Lower + Lower.ToUpperInvariant()), ("digits", Digits), ("hexdigits", Digits + "abcdefABCDEF"), ("octdigits", "01234567"), ("punctuation", Marks), ("whitespace", Space), ("printable", Digits + Lower + Lower.ToUpperInvariant() + Marks + Space),
        })
            m[name] = Value.Of(text);
        m.Add("capwords", (_, a, _) => Value.Of(string.Join(' ', a[0].Text!.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Select(w => char.ToUpperInvariant(w[0]) + w[1..].ToLowerInvariant()))), 1, 1);
    }
}
