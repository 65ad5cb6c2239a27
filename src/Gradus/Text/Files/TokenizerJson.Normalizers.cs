namespace Gradus.Text;

// The normalizers of tokenizer.json.
public static partial class TokenizerJson
{
    private static Normalizer? ReadNormalizer(JsonPlace p)
    {
        if (p.IsNull)
            return null;
        string type = p["type"].Text();
        switch (type)
        {
            case "Sequence":
                return new NormalizerSequence([.. p["normalizers"].Items().Select(i => ReadNormalizer(i)!)]);
            case "Prepend":
                return new PrependNormalizer(p["prepend"].Text());
            case "Strip":
                return new StripNormalizer(p["strip_left"].Flag(true), p["strip_right"].Flag(true));
            case "Replace":
                (string pattern, bool isRegex) = ReadPattern(p["pattern"]);
                return new ReplaceNormalizer(pattern, isRegex, p["content"].Text());
            case "ByteLevel":
                return new ByteAlphabetNormalizer();
            default:
                throw p.Unknown("normalizer", type);
        }
    }
}
