// Sources: S. Robertson and H. Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 2009; BM25F: Robertson, Zaragoza and Taylor, "Simple
// BM25 extension to multiple weighted fields", 2004; BM25+: Lv and Zhai, "Lower-bounding term frequency normalization", 2011.

namespace Gradus.Applications.Retrieval.Indexing;

/// <summary>Which formula of BM25.</summary>
public enum Bm25Variant
{
    /// <summary>Σ ln(1 + (N − n + ½) / (n + ½)) · f / (f + k1 (1 − b + b l / avg)); never negative.</summary>
    Lucene,

    /// <summary>Σ ln((N − n + ½) / (n + ½)) · f (k1 + 1) / (f + …); negative for words of more than half of the chunks.</summary>
    Okapi,

    /// <summary>Σ ln((N + 1) / n) · (1 + f (k1 + 1) / (f + …)): BM25+ with δ = 1.</summary>
    Plus,
}

/// <summary>How a chunk is scored for the words of a query. With a title weight above 0 it is BM25F over title and text.</summary>
/// <param name="K1">How slowly more appearances count less, 0 or more.</param>
/// <param name="B">How far long chunks are scored down, 0 to 1.</param>
/// <param name="TitleWeight">What an appearance in the title (file, folder, headings) counts beside one in the text; 0: titles do not count.</param>
/// <param name="TitleB">As <paramref name="B"/>, for titles.</param>
/// <param name="Variant">The formula.</param>
public sealed record Bm25(double K1 = 1.2, double B = 0.75, double TitleWeight = 0.3, double TitleB = 0.5, Bm25Variant Variant = Bm25Variant.Lucene)
{
    /// <summary>A term's weight by how rare it is.</summary>
    /// <param name="chunks">N, all chunks.</param>
    /// <param name="containing">n, those with the term.</param>
    public double InverseFrequency(long chunks, long containing) => Variant switch
    {
        Bm25Variant.Okapi => Math.Log((chunks - containing + 0.5) / (containing + 0.5)),
        Bm25Variant.Plus => Math.Log((chunks + 1.0) / containing),
        _ => Math.Log(1 + ((chunks - containing + 0.5) / (containing + 0.5))),
    };

    /// <summary>The part of a score that comes from appearances, before the inverse frequency.</summary>
    /// <param name="title">Appearances in the title.</param>
    /// <param name="body">Appearances in the text.</param>
    /// <param name="titleRatio">The title's length over the average title's.</param>
    /// <param name="bodyRatio">The text's length over the average text's.</param>
    public double Saturate(int title, int body, double titleRatio, double bodyRatio)
    {
        double f, normal;
        if (TitleWeight == 0 || title == 0)
        {
            // One field: the length norm stands beside k1, which is the usual form.
            (f, normal) = (body, K1 * (1 - B + (B * bodyRatio)));
        }
        else
        {
            // BM25F: each field's count is divided by its own length norm before the sum saturates.
            f = (body / (1 - B + (B * bodyRatio))) + (TitleWeight * title / (1 - TitleB + (TitleB * titleRatio)));
            normal = K1;
        }
        if (f == 0)
            return Variant == Bm25Variant.Plus ? 1 : 0;
        return Variant switch
        {
            Bm25Variant.Lucene => f / (f + normal),
            Bm25Variant.Okapi => f * (K1 + 1) / (f + normal),
            _ => 1 + (f * (K1 + 1) / (f + normal)),
        };
    }

    /// <summary>Refuses values out of range.</summary>
    /// <exception cref="ArgumentException">k1, b or a weight is out of its range.</exception>
    public void Validate()
    {
        if (!(K1 >= 0 && double.IsFinite(K1)) || !(B is >= 0 and <= 1) || !(TitleB is >= 0 and <= 1) || !(TitleWeight >= 0 && double.IsFinite(TitleWeight)))
            throw new ArgumentException($"BM25: k1 {K1} and the title's weight {TitleWeight} are 0 or more, b {B} and {TitleB} from 0 to 1.");
    }
}
