using System.Text.Json.Nodes;
using Gradus.Testing;
using Gradus.Training.Data.Cleaning;

namespace Gradus.Training.Tests.Goldens;

/// <summary>Filters, normalization, deduplication, scrubbing and decontamination against datatrove: every decision, text and hash.</summary>
public sealed class DataGoldens
{
    private static readonly Dictionary<string, Action<Case>> Areas = new(StringComparer.Ordinal)
    {
        ["normalize"] = Normalize,
        ["gopher_quality"] = c => Filters(c, GopherQualityOf, "gopher_no_words"),
        ["gopher_repetition"] = c => Filters(c, GopherRepetitionOf, "empty"),
        ["fineweb_quality"] = c => Filters(c, FineWebOf, null),
        ["c4_quality"] = C4,
        ["text_stats"] = Statistics,
        ["minhash"] = MinHashes,
        ["bloom"] = Bloom,
        ["exact_dedup"] = Exact,
        ["sentence_dedup"] = SentenceSpans,
        ["pii"] = Pii,
        ["ngram_decontamination"] = Decontaminate,
    };

    public static TheoryData<string> Names => [.. SharedFolder.GoldenCases("data")];

    [SharedTheory("golden", "data")]
    [MemberData(nameof(Names))]
    public void AgreesWithTheReference(string area)
    {
        if (Areas.TryGetValue(area, out Action<Case>? check))
            check(new Case(area));
        else
            Assert.Contains(area, PendingGoldens.Of("data").Keys);
    }

    [SharedFact("golden", "data")]
    public void PendingAreasAreNotRunYet() => Assert.All(PendingGoldens.Of("data").Keys, area => Assert.DoesNotContain(area, Areas.Keys));

    private static void Normalize(Case c)
    {
        foreach ((string set, JsonNode? parameters) in c.Sets)
        {
            TextNormalization normalization = NormalizationOf(parameters);
            c.Each(c.Results(set), (text, expected) => Assert.Equal((string)expected!, normalization.Apply(text)));
        }
        c.Each(c.Expected["words"]!, (text, words) => Assert.Equal(Texts(words), WordsOf(text)));
        c.Each(c.Expected["sentences_as_split"]!, (text, pieces) => Assert.Equal(Texts(pieces), TextUnits.SentencePieces(text).Select(p => text[p.Start..p.End])));
        c.Each(c.Expected["sentence_spans"]!, (text, spans) => Assert.Equal(
            spans!.AsArray().Select(s => ((int)s![0]!, (int)s[1]!)),
            TextUnits.Sentences(text).Select(s => (TextUnits.Length(text.AsSpan(0, s.Start)), TextUnits.Length(text.AsSpan(0, s.End))))));
        c.Each(c.Expected["splitlines"]!, (text, lines) => Assert.Equal(Texts(lines), TextUnits.Lines(text).Select(l => text[l.Start..l.End])));
    }

    private static void Filters(Case c, Func<JsonNode?, DocumentFilter> make, string? reasonOfErrors)
    {
        foreach ((string set, JsonNode? parameters) in c.Sets)
        {
            DocumentFilter filter = make(parameters);
            c.Each(c.Results(set), (text, expected) =>
            {
                FilterDecision decision = filter.Apply(text);
                if (expected!["error"] is not null)
                    Assert.Equal(reasonOfErrors, decision.Reason);
                else
                    Assert.Equal((string?)expected["reason"], decision.Reason);
            });
        }
        foreach ((string rule, JsonNode? expected) in c.Expected["single_rule"]!.AsObject())
        {
            DocumentFilter filter = make(c.Expected["single_rule_parameters"]![rule]);
            HashSet<string> failing = [.. Texts(expected!["errors"])];
            string[] dropped = [.. c.Inputs.Where(i => !failing.Contains((string)i["id"]!) && !filter.Apply((string)i["text"]!).IsKept).Select(i => (string)i["id"]!)];
            Assert.Equal(Texts(expected["dropped"]).Order(StringComparer.Ordinal), dropped.Order(StringComparer.Ordinal));
        }
    }

    private static void C4(Case c)
    {
        foreach ((string set, JsonNode? p) in c.Sets)
        {
            C4Quality filter = new(
                Bool(p, "split_paragraph"), Bool(p, "remove_citations"), Bool(p, "filter_no_terminal_punct"), Math.Max(0, Int(p, "min_num_sentences")),
                Math.Max(0, Int(p, "min_words_per_line")), Math.Max(0, Int(p, "max_word_length")), Bool(p, "filter_lorem_ipsum"), Bool(p, "filter_javascript"),
                Bool(p, "filter_curly_bracket"), Bool(p, "filter_policy"));
            c.Each(c.Results(set), (text, expected) =>
            {
                Dictionary<string, int> lines = [];
                FilterDecision decision = filter.Apply(text, lines);
                Assert.Equal((string?)expected!["reason"], decision.Reason);
                Assert.Equal(expected["lines"]!.AsObject().ToDictionary(l => l.Key, l => (int)l.Value!), lines);
                if (decision.IsKept)
                    Assert.Equal((string)expected["text"]!, decision.Text);
            });
        }
        LongLines longLines = new();
        Assert.Equal(Texts(c.Expected["paragraph_filter"]), c.Inputs.Where(i => longLines.Apply((string)i["text"]!).IsKept).Select(i => (string)i["id"]!));
        c.Each(c.Expected["sentences"]!, (text, expected) => Assert.Equal((int)expected!["count"]!, TextUnits.SentencePieces(text).Count));
    }

    private static void MinHashes(Case c)
    {
        foreach ((string set, JsonNode? p) in c.Sets)
        {
            MinHash hash = new(Int(p, "n_grams"), Int(p, "num_buckets"), Int(p, "hashes_per_bucket"), (uint)Int(p, "seed"), FingerprintOf(p), NormalizationOf(p!["norm_config"]));
            JsonNode results = c.Results(set);
            Assert.Equal(Numbers(results["a"]), hash.Factors);
            Assert.Equal(Numbers(results["b"]), hash.Summands);
            string[] ids = [.. c.Inputs.Select(i => (string)i["id"]!)];
            ulong[]?[] signatures = [.. c.Inputs.Select(i => hash.Signature((string)i["text"]!))];
            foreach (JsonNode? expected in results["signatures"]!.AsArray())
                Assert.Equal(expected!["signature"]?.AsArray().SelectMany(Numbers), signatures[Array.IndexOf(ids, (string)expected["id"]!)]);
            int files = Int(p, "files");
            DuplicateClusters clusters = new(ids.Length);
            int[] documents = [.. Enumerable.Range(0, ids.Length).Where(i => signatures[i] is not null)];
            for (int bucket = 0; bucket < hash.Buckets; bucket++)
            {
                ulong[] minima = [.. documents.SelectMany(d => signatures[d]![(bucket * hash.HashesPerBucket)..((bucket + 1) * hash.HashesPerBucket)])];
                (int First, int Second)[] pairs = [.. DuplicateClusters.Pairs(minima, hash.HashesPerBucket, documents, (a, b) => (a % files, a / files).CompareTo((b % files, b / files)))];
                Assert.Equal(results["bucket_pairs"]![bucket]!.AsArray().Select(x => ((string)x![0]!, (string)x[1]!)), pairs.Select(x => (ids[x.First], ids[x.Second])));
                foreach ((int first, int second) in pairs)
                    clusters.Join(first, second);
            }
            Assert.Equal(Texts(results["kept"]).Order(StringComparer.Ordinal), ids.Where((_, i) => clusters.IsKept(i)).Order(StringComparer.Ordinal));
            foreach (JsonNode? cluster in results["clusters"]!.AsArray())
                Assert.All(Texts(cluster), id => Assert.Equal(cluster!.AsArray().Count, clusters.SizeOf(Array.IndexOf(ids, id))));
        }
    }

    private static void Exact(Case c)
    {
        foreach ((string set, JsonNode? p) in c.Sets)
        {
            Fingerprint fingerprint = FingerprintOf(p);
            int files = Int(p, "files");
            JsonObject[] inputs = [.. c.Inputs];
            JsonNode results = c.Results(set);
            // The reference numbers documents within their file; files follow each other.
            int[] order = [.. Enumerable.Range(0, inputs.Length).OrderBy(i => files > 1 ? (int)inputs[i]["file"]! : 0)];
            ExactDeduplication seen = new(fingerprint);
            Dictionary<int, int> positions = [];
            foreach (int i in order)
            {
                int file = files > 1 ? (int)inputs[i]["file"]! : 0;
                int position = positions[file] = positions.GetValueOrDefault(file, -1) + 1;
                seen.Add((string)inputs[i]["text"]!, Bool(p, "priority") ? (int)inputs[i]["priority"]! : 0, position);
            }
            string[] ids = [.. order.Select(i => (string)inputs[i]["id"]!)];
            Dictionary<string, int> kept = Enumerable.Range(0, ids.Length).Where(seen.IsKept).ToDictionary(i => ids[i], i => seen.CopiesOf(i) - 1);
            Assert.Equal(
                results["kept"]!.AsArray().Select(k => ((string)k!["id"]!, (int)k["duplicate_count"]!)).OrderBy(k => k.Item1, StringComparer.Ordinal),
                kept.Select(k => (k.Key, k.Value)).OrderBy(k => k.Key, StringComparer.Ordinal));
            Assert.Equal(
                results["hashes"]!.AsArray().Select(h => ulong.Parse((string)h!, System.Globalization.CultureInfo.InvariantCulture)).Order(),
                inputs.Select(i => fingerprint.Of((string)i["text"]!)).Order());
        }
    }

    private static void SentenceSpans(Case c)
    {
        foreach ((string set, JsonNode? p) in c.Sets)
        {
            SentenceDeduplication rule = new(Int(p, "n_sentences"), Bool(p, "split_sentences"), Int(p, "min_doc_words"), Int(p, "min_num_sentences"), Int(p, "min_words_to_remove_span")) { Fingerprint = FingerprintOf(p) };
            HashSet<ulong> seen = [];
            c.Each(c.Results(set), (text, expected) =>
            {
                (ulong Hash, int Sentence)[] spans = [.. rule.Spans(text)];
                int[] repeated = [.. spans.Where(s => !seen.Add(s.Hash)).Select(s => s.Sentence)];
                Assert.Equal((int)expected!["hashes"]!, spans.Length);
                Assert.Equal(expected["spans"]!.AsArray().Select(s => (int)s!), repeated);
                string? cleaned = rule.Clean(text, repeated);
                Assert.Equal((bool)expected["kept"]!, cleaned is not null);
                if (cleaned is not null)
                    Assert.Equal((string?)expected["text"] ?? text, cleaned);
            });
        }
    }

    private static void Pii(Case c)
    {
        foreach ((string set, JsonNode? p) in c.Sets)
        {
            PersonalData scrubber = new(Bool(p, "remove_emails", true), Bool(p, "remove_ips", true), Bool(p, "only_remove_public_ips", true));
            if (p!["email_replacement"] is { } emails)
                scrubber = new(Bool(p, "remove_emails", true), Bool(p, "remove_ips", true), Bool(p, "only_remove_public_ips", true)) { EmailReplacements = Several(emails), AddressReplacements = p["ip_replacement"] is { } both ? Several(both) : scrubber.AddressReplacements };
            else if (p["ip_replacement"] is { } addresses)
                scrubber = new(Bool(p, "remove_emails", true), Bool(p, "remove_ips", true), Bool(p, "only_remove_public_ips", true)) { AddressReplacements = Several(addresses) };
            c.Each(c.Results(set), (text, expected) => Assert.Equal((string)expected!, scrubber.Replace(text)));
        }
        Assert.All(c.Expected["public_addresses"]!.AsObject(), a => Assert.True((bool)a.Value! == PersonalData.IsPublic(a.Key), a.Key));
    }

    private static void Decontaminate(Case c)
    {
        JsonObject[] items = [.. c.Inputs.Where(i => (string)i["kind"]! == "eval")];
        foreach ((string set, JsonNode? p) in c.Sets)
        {
            Decontamination rule = new(Int(p, "n_grams"), Bool(p, "find_query_ngrams"), Bool(p, "find_overlap_ngrams")) { Fingerprint = FingerprintOf(p), Normalization = NormalizationOf(p!["norm_config"]) };
            JsonNode results = c.Results(set);
            Assert.All(items, i => Assert.Equal(Numbers(results["items"]![(string)i["id"]!]), rule.Hashes((string)i["label"]!, (string?)i["query"])));
            foreach (IGrouping<string, JsonObject> task in items.GroupBy(i => (string)i["task"]!).OrderBy(t => $"{t.Key.Replace(' ', '_')}.index.hashes", StringComparer.Ordinal))
            {
                foreach (JsonObject item in task)
                    rule.Add(task.Key.Replace(' ', '_'), (string)item["label"]!, (string?)item["query"]);
            }
            Dictionary<string, string> texts = c.Inputs.Where(i => (string)i["kind"]! == "document").ToDictionary(i => (string)i["id"]!, i => (string)i["text"]!);
            foreach (JsonNode? expected in results["documents"]!.AsArray())
            {
                (string Ngram, string Task)? found = rule.Find(texts[(string)expected!["id"]!]);
                Assert.Equal(((string?)expected["n_gram"], ((string?)expected["task"])?.Replace(".index.hashes", "", StringComparison.Ordinal)), (found?.Ngram, found?.Task));
            }
        }
    }

    private static void Statistics(Case c)
    {
        Dictionary<string, Func<string, IReadOnlyDictionary<string, double>?>> blocks = new()
        {
            ["doc"] = TextStatistics.OfCharacters,
            ["line"] = t => TextStatistics.OfLines(t, withoutBlank: false),
            ["line_ignore_empty"] = t => TextStatistics.OfLines(t, withoutBlank: true),
            ["paragraph"] = TextStatistics.OfParagraphs,
            ["word"] = TextStatistics.OfWords,
            ["sentence"] = TextStatistics.OfSentences,
        };
        foreach ((string block, JsonNode? results) in c.Expected["results"]!.AsObject())
        {
            c.Each(results!, (text, expected) =>
            {
                IReadOnlyDictionary<string, double>? statistics = blocks[block](text);
                Assert.Equal(expected!["error"] is not null, statistics is null);
                foreach ((string name, JsonNode? value) in expected.AsObject().Where(e => statistics is not null && e.Key != "id"))
                    Assert.True(Math.Abs((double)value! - statistics![name]) <= 1e-12, $"{expected["id"]}: {block}.{name} is {statistics[name]}, not {value}");
            });
        }
    }

    private static void Bloom(Case c)
    {
        foreach ((string set, JsonNode? p) in c.Sets)
        {
            BloomDeduplication filter = new((ulong)Int(p, "m_bytes"), Int(p, "k"), Number(p, "duplicate_threshold"), Int(p, "n_grams"), (uint)Int(p, "seed"));
            JsonNode results = c.Results(set);
            Assert.Equal(Numbers(results["a"]), filter.Functions.Factors);
            Assert.Equal(Numbers(results["b"]), filter.Functions.Summands);
            List<string> kept = [];
            List<long> bits = [];
            foreach (JsonObject input in c.Inputs)
            {
                if (filter.Add((string)input["text"]!))
                    kept.Add((string)input["id"]!);
                bits.Add(filter.BitsSet);
            }
            Assert.Equal(Texts(results["kept"]), kept);
            Assert.Equal(results["bits_set_after_each"]!.AsArray().Select(b => (long)b!), bits);
        }
    }

    private static GopherQuality GopherQualityOf(JsonNode? p)
    {
        GopherQuality filter = new(
            Int(p, "min_doc_words"), Int(p, "max_doc_words"), Number(p, "min_avg_word_length"), Number(p, "max_avg_word_length"), Number(p, "max_symbol_word_ratio"),
            Number(p, "max_bullet_lines_ratio"), Number(p, "max_ellipsis_lines_ratio"), Number(p, "max_non_alpha_words_ratio"), Int(p, "min_stop_words"));
        return p!["stop_words"] is { } words ? filter with { StopWords = [.. Texts(words)] } : filter;
    }

    private static GopherRepetition GopherRepetitionOf(JsonNode? p) =>
        new(Number(p, "dup_line_frac"), Number(p, "dup_para_frac"), Number(p, "dup_line_char_frac"), Number(p, "dup_para_char_frac"))
        {
            TopNgrams = [.. p!["top_n_grams"]!.AsArray().Select(l => new NgramLimit((int)l![0]!, (double)l[1]!))],
            DuplicateNgrams = [.. p["dup_n_grams"]!.AsArray().Select(l => new NgramLimit((int)l![0]!, (double)l[1]!))],
        };

    private static FineWebQuality FineWebOf(JsonNode? p) =>
        new(Number(p, "line_punct_thr"), Bool(p, "line_punct_exclude_zero"), Number(p, "short_line_thr"), Int(p, "short_line_length"), Number(p, "char_duplicates_ratio"), Number(p, "new_line_ratio"))
        {
            EndMarks = p!["stop_chars"] is { } marks ? string.Concat(Texts(marks)) : null,
        };

    private static TextNormalization NormalizationOf(JsonNode? p) => new(
        Bool(p, "lowercase", true), Bool(p, "norm_numbers", true), Bool(p, "norm_weekdays"), Bool(p, "norm_monthnames"), Bool(p, "remove_punctuation", true),
        Bool(p, "norm_whitespace", true), Bool(p, "norm_unicode_diacritics", true));

    private static Fingerprint FingerprintOf(JsonNode? p) => new((string)p!["hash_fc"]! == "sha1" ? FingerprintKind.Sha1 : FingerprintKind.XxHash, Int(p, "precision"));

    private static IReadOnlyList<string> Several(JsonNode node) => node is JsonArray ? [.. Texts(node)] : [(string)node!];

    private static bool Bool(JsonNode? p, string name, bool usual = false) => p?[name] is { } value ? (bool)value : usual;

    private static int Int(JsonNode? p, string name) => (int)Number(p, name);

    private static double Number(JsonNode? p, string name) => p?[name] is { } value ? (double)value : 0;

    private static IEnumerable<string> Texts(JsonNode? list) => list!.AsArray().Select(t => (string)t!);

    private static IEnumerable<ulong> Numbers(JsonNode? list) => list!.AsArray().Select(n => ulong.Parse((string)n!, System.Globalization.CultureInfo.InvariantCulture));

    private static IEnumerable<string> WordsOf(string text)
    {
        List<TextPart> words = [];
        TextUnits.Words(text, words);
        return words.Select(w => text[w.Start..w.End]);
    }

    private sealed class Case
    {
        public Case(string area)
        {
            string folder = SharedFolder.Find("golden", "data", area)!;
            Expected = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "expected.json")))!;
            Inputs = [.. File.ReadLines(Path.Combine(folder, "inputs.jsonl")).Select(l => JsonNode.Parse(l)!.AsObject())];
        }

        public JsonNode Expected { get; }

        public IReadOnlyList<JsonObject> Inputs { get; }

        public JsonObject Sets => Expected["parameter_sets"]!.AsObject();

        public JsonNode Results(string set) => Expected["results"]![set]!;

        public void Each(JsonNode results, Action<string, JsonNode?> check)
        {
            Assert.Equal(Inputs.Count, results.AsArray().Count);
            for (int i = 0; i < Inputs.Count; i++)
                check((string)Inputs[i]["text"]!, results[i]);
        }
    }
}
