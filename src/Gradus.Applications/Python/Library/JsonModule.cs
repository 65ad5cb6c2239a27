using System.Globalization;
using System.Numerics;
using System.Text;
using System.Text.Json;

namespace Gradus.Applications.Python;

/// <summary>json.</summary>
internal static class JsonModule
{
    private static readonly PyClass DecodeError = new("JSONDecodeError", [Types.Exceptions["ValueError"]]);

    public static void Fill(Interpreter it, ModuleObject m)
    {
        m["JSONDecodeError"] = Value.Of(DecodeError);
        m.Add("loads", (_, a, _) => Load(a[0].Text ?? (a[0].Ref is BytesObject b ? Encoding.UTF8.GetString(b.Data) : throw Errors.Type($"the JSON object must be str, bytes or bytearray, not {a[0].Class.Name}"))), 1, 1);
        m.Add("dumps", Dump, 1, 1);
    }

    private static Value Load(string text)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(text, new JsonDocumentOptions { MaxDepth = 500 });
            return From(document.RootElement);
        }
        catch (JsonException e)
        {
            throw Errors.Make(DecodeError, Value.Of($"not valid JSON: line {(e.LineNumber ?? 0) + 1} column {(e.BytePositionInLine ?? 0) + 1}"));
        }
    }

    private static Value From(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                DictObject dict = new();
                foreach (JsonProperty property in element.EnumerateObject())
                    dict.Table.Set(Value.Of(property.Name), From(property.Value));
                return Value.Of(dict);
            case JsonValueKind.Array: return Value.Of(new ListObject([.. element.EnumerateArray().Select(From)]));
            case JsonValueKind.String: return Value.Of(element.GetString()!);
            case JsonValueKind.Number:
                string number = element.GetRawText();
                return number.AsSpan().IndexOfAny('.', 'e', 'E') < 0 ? Value.Of(BigInteger.Parse(number, CultureInfo.InvariantCulture)) : Value.Of(double.Parse(number, CultureInfo.InvariantCulture));
            case JsonValueKind.True: return Value.True;
            case JsonValueKind.False: return Value.False;
            default: return Value.None;
        }
    }

    private sealed record Style(string? Indent, string Item, string Key, bool Sorted, bool Ascii, Value Default);

    private static Value Dump(Interpreter it, Value[] args, Keywords? keywords)
    {
        Value indent = Keywords.Take(keywords, "indent", Value.None), separators = Keywords.Take(keywords, "separators", Value.None);
        string? step = indent.IsNone ? null : indent.Text ?? new string(' ', (int)Math.Max(0, Operations.ToIndexClamped(indent)));
        Value[] marks = separators.IsNone ? [Value.Of(step is null ? ", " : ","), Value.Of(": ")] : Operations.ToArray(it, separators);
        Style style = new(step, marks[0].Text!, marks[1].Text!, Operations.Truth(it, Keywords.Take(keywords, "sort_keys", Value.False)), Operations.Truth(it, Keywords.Take(keywords, "ensure_ascii", Value.True)), Keywords.Take(keywords, "default", Value.None));
        StringBuilder text = new();
        Write(it, text, args[0], style, 0);
        return Value.Of(text.ToString());
    }

    private static void Write(Interpreter it, StringBuilder to, Value value, Style style, int depth)
    {
        if (depth > 500)
            throw Errors.Make("RecursionError", "maximum recursion depth exceeded");
        value = Operations.Unwrapped(value);
        if (value.IsBool || value.IsNone)
            to.Append(value.IsNone ? "null" : value.Bits == 1 ? "true" : "false");
        else if (value.IsInteger)
            to.Append(value.Big.ToString(CultureInfo.InvariantCulture));
        else if (value.IsFloat)
            to.Append(double.IsNaN(value.Float) ? "NaN" : double.IsInfinity(value.Float) ? (value.Float > 0 ? "Infinity" : "-Infinity") : Representation.OfFloat(value.Float));
        else if (value.Text is { } text)
            Quote(to, text, style.Ascii);
        else if (Operations.Sequence(value, out ReadOnlySpan<Value> items))
            Items(it, to, items.ToArray(), style, depth, "[", "]", (item, _) => Write(it, to, item, style, depth + 1));
        else if (Operations.TableOf(value) is { } table)
            Members(it, to, table, style, depth);
        else if (!style.Default.IsNone)
            Write(it, to, it.Call(style.Default, value), style, depth + 1);
        else
            throw Errors.Type($"Object of type {value.Class.Name} is not JSON serializable");
    }

    private static void Members(Interpreter it, StringBuilder to, Table table, Style style, int depth)
    {
        Value[] keys = table.Keys();
        if (style.Sorted)
            keys = Operations.Sort(it, keys, default, reverse: false);
        Items(it, to, keys, style, depth, "{", "}", (key, _) =>
        {
            string name = key.Text ?? (key.IsNone ? "null" : key.IsBool ? (key.Bits == 1 ? "true" : "false") : key.IsNumber ? Operations.Str(it, key) : throw Errors.Type($"keys must be str, int, float, bool or None, not {key.Class.Name}"));
            Quote(to, name, style.Ascii);
            to.Append(style.Key);
            table.TryGet(key, out Value entry);
            Write(it, to, entry, style, depth + 1);
        });
    }

    private static void Items(Interpreter it, StringBuilder to, Value[] items, Style style, int depth, string open, string close, Action<Value, int> write)
    {
        to.Append(open);
        for (int i = 0; i < items.Length; i++)
        {
            it.Burn();
            if (i > 0)
                to.Append(style.Item);
            NewLine(depth + 1);
            write(items[i], i);
        }
        if (items.Length > 0)
            NewLine(depth);
        to.Append(close);

        void NewLine(int level)
        {
            if (style.Indent is null)
                return;
            to.Append('\n');
            for (int i = 0; i < level; i++)
                to.Append(style.Indent);
        }
    }

    private static void Quote(StringBuilder to, string text, bool ascii)
    {
        to.Append('"');
        foreach (char c in text)
            to.Append(c switch { '"' => "\\\"", '\\' => "\\\\", '\n' => "\\n", '\r' => "\\r", '\t' => "\\t", '\b' => "\\b", '\f' => "\\f", < ' ' => $"\\u{(int)c:x4}", > '~' when ascii => $"\\u{(int)c:x4}", _ => c.ToString() });
        to.Append('"');
    }
}
