using System.Globalization;
using System.Numerics;
using System.Text;

namespace Gradus.Text.Chat.Jinja;

/// <summary>
/// The tojson filter as transformers defines it: Python's json.dumps with ensure_ascii off, not Jinja's HTML-safe one.
/// Arguments in order: ensure_ascii, indent, separators, sort_keys.
/// </summary>
internal sealed class JsonPrinter
{
    private readonly RenderContext _context;
    private readonly StringBuilder _target = new();
    private readonly bool _ascii;
    private readonly bool _sort;
    private readonly string? _indent;
    private readonly string _comma;
    private readonly string _colon = ": ";
    private int _message = -1;
    private bool _severalMessages;

    private JsonPrinter(RenderContext context, Value?[] options)
    {
        _context = context;
        _ascii = options[0]?.IsTrue ?? false;
        _sort = options[3]?.IsTrue ?? false;
        _indent = options[1] switch
        {
            null or NoneValue => null,
            TextValue text => text.Text,
            Value other when Numbers.TryInteger(other, out BigInteger width) => new string(' ', (int)BigInteger.Max(0, BigInteger.Min(width, 1000))),
            Value other => throw context.Error($"tojson: indent is a number or a string, not {other.TypeName}"),
        };
        _comma = _indent is null ? ", " : ",";
        if (options[2] is not (null or NoneValue))
        {
            if (options[2] is not SequenceValue { Elements: [TextValue comma, TextValue colon] })
                throw context.Error("tojson: separators is a pair of strings");
            (_comma, _colon) = (comma.Text, colon.Text);
        }
    }

    public static Value Filter(RenderContext context, Value value, Arguments arguments)
    {
        if (context.Settings.SafeJson)
            return HtmlSafe(context, value, arguments);
        JsonPrinter printer = new(context, arguments.Bind(context, "tojson", 0, "ensure_ascii", "indent", "separators", "sort_keys"));
        printer.Append(value, 0);
        return TextValue.FromMessage(printer._target.ToString(), printer._severalMessages ? -1 : printer._message);
    }

    /// <summary>json.dumps(value, indent, ensure_ascii=False).</summary>
    public static string Indented(RenderContext context, Value value, int indent)
    {
        JsonPrinter printer = new(context, [null, Value.Of(indent), null, null]);
        printer.Append(value, 0);
        return printer._target.ToString();
    }

    // Jinja's own filter: keys sorted, ASCII only, and no character that ends a script or an attribute.
    private static TextValue HtmlSafe(RenderContext context, Value value, Arguments arguments)
    {
        JsonPrinter printer = new(context, [BoolValue.True, arguments.Bind(context, "tojson", 0, "indent")[0], null, BoolValue.True]);
        printer.Append(value, 0);
        printer._target.Replace("<", "\\u003c").Replace(">", "\\u003e").Replace("&", "\\u0026").Replace("'", "\\u0027");
        return Value.Of(printer._target.ToString());
    }

    private void Append(Value value, int depth)
    {
        _context.Step();
        Note(value.Message);
        int before = _target.Length;
        switch (value)
        {
            case TextValue text:
                AppendString(text.Text);
                break;
            case IntValue integer:
                _target.Append(integer.Number.ToString(CultureInfo.InvariantCulture));
                break;
            case FloatValue real:
                _target.Append(Text(real.Number));
                break;
            case BoolValue:
                _target.Append(value.IsTrue ? "true" : "false");
                break;
            case NoneValue:
                _target.Append("null");
                break;
            case DictValue dict:
                AppendDict(dict, depth);
                return;
            case ListValue or TupleValue:
                AppendList(((SequenceValue)value).Elements, depth);
                return;
            default:
                throw _context.Error(value is UndefinedValue undefined ? $"tojson: {undefined.Reason}" : $"tojson: a {value.TypeName} has no JSON form");
        }
        _context.ChargeCharacters(_target.Length - before);
    }

    private void AppendList(Value[] elements, int depth)
    {
        _target.Append('[');
        for (int i = 0; i < elements.Length; i++)
        {
            if (i > 0)
                _target.Append(_comma);
            NewLine(depth + 1);
            Append(elements[i], depth + 1);
        }
        if (elements.Length > 0)
            NewLine(depth);
        _target.Append(']');
    }

    private void AppendDict(DictValue dict, int depth)
    {
        IEnumerable<KeyValuePair<Value, Value>> entries = dict.Entries;
        if (_sort)
        {
            KeyValuePair<Value, Value>[] sorted = [.. dict.Entries];
            Sorting.Sort(sorted, (a, b) => Operators.Order(_context, b.Key, a.Key) == -1);
            entries = sorted;
        }
        _target.Append('{');
        bool first = true;
        foreach ((Value key, Value value) in entries)
        {
            if (!first)
                _target.Append(_comma);
            first = false;
            NewLine(depth + 1);
            AppendString(Key(key));
            _target.Append(_colon);
            Append(value, depth + 1);
        }
        if (!first)
            NewLine(depth);
        _target.Append('}');
    }

    private string Key(Value key) => key switch
    {
        TextValue text => text.Text,
        BoolValue => key.IsTrue ? "true" : "false",
        NoneValue => "null",
        IntValue integer => integer.Number.ToString(CultureInfo.InvariantCulture),
        FloatValue real => Text(real.Number),
        _ => throw _context.Error($"tojson: a {key.TypeName} cannot be a key in JSON"),
    };

    private void NewLine(int depth)
    {
        if (_indent is null)
            return;
        _context.ChargeCharacters(1 + ((long)_indent.Length * depth));
        _target.Append('\n');
        for (int i = 0; i < depth; i++)
            _target.Append(_indent);
    }

    private static string Text(double number) =>
        double.IsFinite(number) ? PythonText.Repr(number) : double.IsNaN(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity";

    private void AppendString(string text)
    {
        _context.ChargeCharacters(text.Length);
        _target.Append('"');
        foreach (char c in text)
        {
            string? escape = c switch
            {
                '"' => "\\\"",
                '\\' => "\\\\",
                '\n' => "\\n",
                '\r' => "\\r",
                '\t' => "\\t",
                '\b' => "\\b",
                '\f' => "\\f",
                < ' ' => $"\\u{(int)c:x4}",
                > '\x7e' when _ascii && c != '\x7f' => $"\\u{(int)c:x4}",
                _ => null,
            };
            if (escape is null)
                _target.Append(c);
            else
                _target.Append(escape);
        }
        _target.Append('"');
    }

    private void Note(int message)
    {
        if (message < 0 || message == _message)
            return;
        _severalMessages |= _message >= 0;
        _message = message;
    }
}
