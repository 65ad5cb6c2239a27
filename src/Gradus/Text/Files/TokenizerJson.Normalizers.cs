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
                return new NormalizerSequence([.. p["normalizers"].Items().Select(i => ReadNormalizer(i) ?? throw Missing(i))]);
            case "Prepend":
                return new PrependNormalizer(p["prepend"].Text());
            case "Strip":
                return new StripNormalizer(p["strip_left"].Flag(true), p["strip_right"].Flag(true));
            case "Replace":
                (string pattern, bool isRegex) = ReadPattern(p["pattern"]);
                return new ReplaceNormalizer(pattern, isRegex, p["content"].Text());
            case "NFC":
                return new UnicodeNormalizer(NormalForm.Nfc);
            case "NFD":
                return new UnicodeNormalizer(NormalForm.Nfd);
            case "NFKC":
                return new UnicodeNormalizer(NormalForm.Nfkc);
            case "NFKD":
                return new UnicodeNormalizer(NormalForm.Nfkd);
            case "Lowercase":
                return new LowercaseNormalizer();
            case "StripAccents":
                return new StripAccentsNormalizer();
            case "Nmt":
                return new NmtNormalizer();
            case "BertNormalizer":
                bool? strip = p["strip_accents"].IsNull ? null : p["strip_accents"].Flag(false);
                return new BertNormalizer(p["clean_text"].Flag(true), p["handle_chinese_chars"].Flag(true), strip, p["lowercase"].Flag(true));
            case "Precompiled":
                return ReadCharsmap(p["precompiled_charsmap"]);
            case "ByteLevel":
                return new ByteAlphabetNormalizer();
            default:
                throw p.Unknown("normalizer", type);
        }
    }

    private static PrecompiledNormalizer ReadCharsmap(JsonPlace p)
    {
        try
        {
            return new PrecompiledNormalizer(Convert.FromBase64String(p.Text()), p.Path);
        }
        catch (FormatException e)
        {
            throw new InvalidDataException($"{p.Path}: not base64: {e.Message}", e);
        }
    }
}
